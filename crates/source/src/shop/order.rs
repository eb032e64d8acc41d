//! An order: its lines and prices, the revisions of its header, and the records when it is placed.

mod records;

use super::catalogue::in_money;
use super::json::Json;
use super::ledger::Step;
use super::money::share;
use super::people::Home;
use super::tender::Tender;
use super::visit::Session;
use super::words::MONIES;
use super::world::{Tag, World, write_customer_id};

/// The price in pence from which shipping is free.
const FREE_SHIPPING: i64 = 6_000;

/// The ids of an order's lines; no cart has more lines.
pub(super) const LINE_IDS: [&str; 8] = ["1", "2", "3", "4", "5", "6", "7", "8"];

/// A line of an order. Amounts in 10^-6 of the order's currency, quantities in 10^-3.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) product: u16,
    pub(super) quantity: i64,
    list: i64,
    unit: i64,
    discount: i64,
    pub(super) tax: i64,
    pub(super) shipping: i64,
    promotion: Option<&'static str>,
    pub(super) cancelled: bool,
}

impl Line {
    fn gross(&self) -> i64 {
        // Exact: products sold by halves have even prices.
        self.unit * self.quantity / 1_000
    }

    pub(super) fn net(&self) -> i64 {
        self.gross() - self.discount
    }
}

/// The next step of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Capture,
    Cancel,
    DropLine,
    Fulfil,
    Return,
    Close,
    Over,
}

/// The fixed parts of an order.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) number: u64,
    pub(super) session: u64,
    pub(super) customer: Option<u32>,
    pub(super) channel: &'static str,
    pub(super) is_test: bool,
    /// An index in [`MONIES`].
    pub(super) money: usize,
}

#[derive(Debug)]
pub(super) struct Order {
    pub(super) terms: Terms,
    pub(super) placed_at: i64,
    /// The shop's day on which it was placed.
    pub(super) day: i32,
    pub(super) lines: Vec<Line>,
    pub(super) tenders: Vec<Tender>,
    pub(super) status: &'static str,
    pub(super) financial_status: &'static str,
    pub(super) paid_at: Option<i64>,
    pub(super) cancelled_at: Option<i64>,
    pub(super) closed_at: Option<i64>,
    pub(super) cancel_reason: &'static str,
    pub(super) next: Life,
    ship_to: Home,
    /// The billing address, if it differs.
    bill_to: Option<Box<Home>>,
    coupon: Option<&'static str>,
    attribution: &'static str,
    revision: u64,
}

/// The cart's lines at today's prices.
pub(super) fn lines_of(session: &Session, world: &World) -> Vec<Line> {
    let country = session.visitor.home.country;
    let mut lines: Vec<Line> = session
        .cart
        .iter()
        .map(|item| {
            let product = world.catalogue.get(item.product);
            let price = product.price(country.money);
            let offers = [world.today.promotion, session.code].into_iter().flatten();
            let best =
                offers.max_by_key(|offer| offer.percent_on(product.shelf)).filter(|offer| offer.percent_on(product.shelf) > 0);
            let percent = best.map_or(0, |offer| offer.percent_on(product.shelf));
            let mut line = Line {
                product: item.product,
                quantity: item.quantity,
                list: price.list,
                unit: price.unit,
                discount: 0,
                tax: 0,
                shipping: 0,
                promotion: best.map(|offer| offer.code),
                cancelled: false,
            };
            line.discount = share(line.gross(), percent, 100, country.money);
            line.tax = share(line.net(), country.tax, 1_000, country.money);
            line
        })
        .collect();
    let net: i64 = lines.iter().map(Line::net).sum();
    if net < in_money(FREE_SHIPPING, country.money, false)
        && let Some(first) = lines.first_mut()
    {
        first.shipping = in_money(country.shipping, country.money, false);
    }
    lines
}

/// The total of the lines.
pub(super) fn total(lines: &[Line]) -> i64 {
    lines.iter().map(|line| line.net() + line.tax + line.shipping).sum()
}

/// The terms of the order that a session is about to place. The first attempt to pay reserves its
/// number.
pub(super) fn terms_of(session: &mut Session, world: &mut World) -> Terms {
    let number = *session.order.get_or_insert_with(|| {
        world.orders += 1;
        world.orders
    });
    let visitor = &session.visitor;
    let money = visitor.home.country.money;
    Terms { number, session: session.id, customer: visitor.customer, channel: visitor.channel, is_test: session.is_test, money }
}

impl Terms {
    pub(super) fn write(&self, tag: Tag, json: &mut Json<'_>) {
        tag.order_id(json, self.number);
        write_customer_id(json, self.customer);
        json.text("channel", self.channel);
        if self.is_test {
            json.flag("is_test", true);
        }
    }

    pub(super) fn amount(&self, json: &mut Json<'_>, key: &str, micros: i64) {
        json.amount(key, micros, MONIES[self.money].digits);
    }
}

/// Turns the cart into an order and posts its records: event, header, lines, stock, payments.
pub(super) fn place(session: &mut Session, world: &mut World, at: i64) -> Order {
    let terms = terms_of(session, world);
    session.post_cart_event(world, at, "order_completed", Step::Paid);
    let lines = lines_of(session, world);
    let tenders = Tender::drawn(session.visitor.home.country, total(&lines), &mut world.rng);
    let at_once = tenders.iter().all(|tender| tender.method.at_once);
    let home = &session.visitor.home;
    let gift = world.rng.permille(90).then(|| Home::somewhere(home.country, &mut world.rng));
    let [_, source, ..] = session.arrival;
    let mut order = Order {
        placed_at: at,
        day: world.today.key,
        status: if at_once { "paid" } else { "placed" },
        financial_status: if at_once { "paid" } else { "authorized" },
        paid_at: at_once.then_some(at),
        cancelled_at: None,
        closed_at: None,
        cancel_reason: "",
        next: Life::Capture,
        bill_to: gift.is_some().then(|| Box::new(home.clone())),
        ship_to: gift.unwrap_or_else(|| home.clone()),
        coupon: session
            .code
            .or(world.today.promotion)
            .map(|promotion| promotion.code)
            .filter(|code| lines.iter().any(|line| line.promotion == Some(*code))),
        attribution: if source.is_empty() { "direct" } else { source },
        revision: 0,
        terms,
        lines,
        tenders,
    };
    order.post(world, at);
    for line in 0..order.lines.len() {
        order.post_sale(world, line);
        if !order.terms.is_test && world.rng.permille(600) {
            world.post_level(at, order.lines[line].product);
        }
    }
    order.pay(world, at);
    order
}
