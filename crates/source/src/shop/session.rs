//! A visit: a walk through the shop, page by page, that may end with an order.
//!
//! ```text
//!  Landing ─► Search ─► List ─► Click ─► Product ─► Add ─► Cart ─► Checkout ─► Shipping ─► Payment ─► Order
//!     │                  ▲ └─► Filter       │ └► Saved │      └► Remove  └► Code ─► Answer ─┘ └► Failed
//!     └── leaves at any stage               └─ Related ┘
//! ```

mod records;

use kassa_model::time::SECOND;

use super::ledger::Step;
use super::payment;
use super::rng::{mix, seed_of};
use super::visit::{Item, Session, Stage};
use super::words::{ARRIVALS, PAGES, SEARCHES};
use super::world::World;
use records::url;

/// The maximum number of pages of a visit.
const PAGES_MAX: u8 = 70;
/// The longest look at a page; 30 minutes of silence would split the session.
const LOOK_MAX: i64 = 240 * SECOND;

/// What follows a stage.
#[derive(Debug)]
pub(super) enum Next {
    /// Another stage after this many µs.
    After(i64),
    Left,
    /// The cart becomes an order now.
    Buys,
}

impl Session {
    pub(super) fn new(number: u64, seed: u64, world: &mut World) -> Self {
        let World { rng, people, catalogue, today, .. } = world;
        let visitor = people.visit(rng);
        let is_bot = visitor.customer.is_none() && rng.permille(15);
        let (buyer, wants) = match rng.below(1_000) {
            _ if is_bot => (false, 0),
            0..167 => (true, rng.choose(&[(9, 1), (11, 2), (13, 3), (15, 4), (15, 5), (14, 6), (12, 7), (11, 8)])),
            167..242 => (false, 1 + rng.index(3)),
            _ => (false, 0),
        };
        let product = catalogue.wanted(rng);
        Self {
            id: mix(seed_of(seed, "sessions").wrapping_add(number)),
            visitor,
            is_test: rng.permille(2),
            is_bot,
            cart: Vec::new(),
            code: None,
            order: None,
            arrival: rng.choose(&ARRIVALS),
            stage: Stage::Landing,
            day: today.key,
            counted: (0, 0),
            buyer,
            wants,
            pages: 0,
            viewed: false,
            added: false,
            product,
            shelf: catalogue.get(product).shelf,
        }
    }

    /// Performs the current stage and moves on to the next.
    pub(super) fn step(&mut self, world: &mut World, at: i64) -> Next {
        if self.stage == Stage::Order {
            return Next::Buys;
        }
        if self.pages == 0 {
            self.announce(world, at);
        }
        self.act(world, at);
        self.pages += 1;
        self.stage = if self.pages < PAGES_MAX { self.next_stage(world) } else { Stage::Leave };
        match self.stage {
            Stage::Leave => Next::Left,
            _ => Next::After((2 * SECOND + world.rng.exponential(24 * SECOND)).min(LOOK_MAX)),
        }
    }

    fn act(&mut self, world: &mut World, at: i64) {
        match self.stage {
            Stage::Landing => self.land(world, at),
            Stage::Page => {
                let page = world.rng.one_of(&PAGES);
                // Not one of the contract's types: accepted as a custom one.
                let name = if world.rng.permille(100) { "chat_opened" } else { "page_viewed" };
                self.post_event(world, at, name, Step::None, |json, _| url(json, "/help/", page));
            }
            Stage::Search => {
                let query = world.rng.one_of(&SEARCHES);
                self.post_event(world, at, "products_searched", Step::None, |json, _| {
                    json.text("search_query", query);
                    url(json, "/search", "");
                });
            }
            Stage::List => self.look_at_shelf(world, at, "product_list_viewed"),
            Stage::Filter => self.look_at_shelf(world, at, "product_list_filtered"),
            Stage::Click => self.click(world, at),
            Stage::Product => self.view(world, at),
            Stage::Saved => {
                let name = if world.rng.permille(200) { "wishlist_removed" } else { "wishlist_added" };
                self.tell_product(world, at, name, Step::None, None);
            }
            Stage::Add => self.add(world, at),
            Stage::Cart => self.post_cart_event(world, at, "cart_viewed", Step::None),
            Stage::Remove => {
                if let Some(item) = self.cart.pop() {
                    self.product = item.product;
                    self.tell_product(world, at, "product_removed", Step::None, Some(item.quantity));
                }
            }
            Stage::Checkout => self.check_out(world, at),
            Stage::Shipping => {
                self.post_cart_event(world, at, "shipping_info_added", Step::None);
                if self.visitor.channel == "app" {
                    self.post_cart_event(world, at, "checkout_step_completed", Step::None);
                }
            }
            Stage::Code => self.post_cart_event(world, at, "coupon_entered", Step::None),
            Stage::Answer => {
                let answer = if self.code.is_some() { "coupon_applied" } else { "coupon_denied" };
                self.post_cart_event(world, at, answer, Step::None);
                if self.code.is_some() && world.rng.permille(50) {
                    self.code = None;
                    self.post_cart_event(world, at, "coupon_removed", Step::None);
                }
            }
            Stage::Payment => self.post_cart_event(world, at, "payment_info_added", Step::None),
            Stage::Failed => {
                self.post_cart_event(world, at, "payment_failed", Step::None);
                payment::fail(self, world, at);
            }
            Stage::Order | Stage::Leave => {}
        }
    }

    fn next_stage(&mut self, world: &mut World) -> Stage {
        use Stage::{
            Add, Answer, Cart, Checkout, Click, Code, Failed, Filter, Landing, Leave, List, Order, Page, Payment, Product,
            Remove, Saved, Search, Shipping,
        };
        let rng = &mut world.rng;
        let (buyer, wants_more) = (self.buyer, self.cart.len() < self.wants);
        match self.stage {
            Landing if self.wants == 0 && rng.permille(640) => Leave,
            Landing => rng.choose(&[(45, List), (20, Search), (35, Product)]),
            Page => rng.choose(&[(50, List), (50, Leave)]),
            Search if buyer => List,
            Search => rng.choose(&[(85, List), (15, Leave)]),
            List | Filter if buyer => rng.choose(&[(92, Click), (6, Filter), (2, Leave)]),
            List | Filter => rng.choose(&[(50, Click), (8, Filter), (10, List), (32, Leave)]),
            Click => Product,
            Product if wants_more => rng.choose(&[(84, Add), (10, List), (5, Product), (1, Leave)]),
            Product if !self.cart.is_empty() => Cart,
            Product => rng.choose(&[(24, List), (16, Product), (4, Saved), (5, Page), (51, Leave)]),
            Saved => rng.choose(&[(60, List), (40, Leave)]),
            Add if wants_more => rng.choose(&[(72, Product), (20, List), (8, Search)]),
            Add if buyer => Cart,
            Add => rng.choose(&[(60, Cart), (40, Leave)]),
            Cart if buyer => rng.choose(&[(94, Checkout), (3, Remove), (3, Leave)]),
            Cart => rng.choose(&[(26, Checkout), (9, Remove), (65, Leave)]),
            Remove if self.cart.is_empty() => Leave,
            Remove => Cart,
            Checkout => rng.choose(&[(if buyer { 96 } else { 50 }, Shipping), (if buyer { 4 } else { 50 }, Leave)]),
            Shipping if self.code.is_some() || rng.permille(60) => Code,
            Shipping | Answer => rng.choose(&[(96, Payment), (4, Leave)]),
            Code => Answer,
            Payment => rng.choose(&[(if buyer { 91 } else { 40 }, Order), (6, Failed), (if buyer { 3 } else { 54 }, Leave)]),
            Failed => rng.choose(&[(70, Payment), (30, Leave)]),
            Order | Leave => Leave,
        }
    }
}
