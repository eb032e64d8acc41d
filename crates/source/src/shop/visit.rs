//! The state of a visit: its stage, cart and visitor.

use super::people::Visitor;
use super::season::Promotion;

/// A stage of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Landing,
    Page,
    Search,
    List,
    Filter,
    Click,
    Product,
    Saved,
    Add,
    Cart,
    Remove,
    Checkout,
    Shipping,
    Code,
    Answer,
    Payment,
    Failed,
    Order,
    Leave,
}

/// A product in a cart and its quantity, in 10^-3.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) product: u16,
    pub(super) quantity: i64,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: u64,
    pub(super) visitor: Visitor,
    pub(super) is_test: bool,
    pub(super) is_bot: bool,
    pub(super) cart: Vec<Item>,
    pub(super) code: Option<Promotion>,
    /// Reserved by the first attempt to pay.
    pub(super) order: Option<u64>,
    pub(super) arrival: [&'static str; 4],
    pub(super) stage: Stage,
    /// The day on which it began.
    pub(super) day: i32,
    /// The day that has certainly counted this person.
    pub(super) counted: (i32, u64),
    /// Whether the visitor wants to buy.
    pub(super) buyer: bool,
    pub(super) wants: usize,
    pub(super) pages: u8,
    pub(super) viewed: bool,
    pub(super) added: bool,
    pub(super) product: u16,
    pub(super) shelf: usize,
}
