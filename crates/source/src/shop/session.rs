//! A visit: a walk through the shop, page by page, that ends at the door or at the till.
//!
//! ```text
//!  Landing ─► Search ─► List ─► Click ─► Product ─► Add ─► Cart ─► Checkout ─► Shipping ─► Payment ─► Order
//!     │                  ▲ └─► Filter       │ └► Saved │      └► Remove  └► Code ─► Answer ─┘ └► Failed
//!     └── leaves at any stage               └─ Related ┘
//! ```

use kassa_model::Contract;
use kassa_model::time::SECOND;

use super::catalogue::{Catalogue, product_id};
use super::json::Json;
use super::ledger::{Effect, Step};
use super::outbox::{Pace, Post};
use super::payment;
use super::people::Visitor;
use super::rng::{Rng, mix};
use super::season::{Promotion, WELCOME};
use super::words::{ARRIVALS, MONIES, PAGES, SEARCHES, SHELVES};
use super::world::{World, write_customer_id};

/// A visit of more pages ends.
const PAGES_MAX: u8 = 70;
/// The longest look at a page; silence of 30 minutes would make two sessions of one.
const LOOK_MAX: i64 = 240 * SECOND;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
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

/// A product in a cart and how many of it, in 10^-3.
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
    is_bot: bool,
    pub(super) cart: Vec<Item>,
    pub(super) code: Option<Promotion>,
    /// Reserved by the first try to pay.
    pub(super) order: Option<u64>,
    pub(super) arrival: [&'static str; 4],
    stage: Stage,
    /// The day on which it began.
    day: i32,
    /// The day that has certainly counted this person.
    counted: (i32, u64),
    /// Means to buy, and how many things.
    buyer: bool,
    wants: usize,
    pages: u8,
    viewed: bool,
    added: bool,
    product: u16,
    shelf: usize,
}

/// What follows a stage.
#[derive(Debug)]
pub(super) enum Next {
    /// Another stage, so many µs later.
    After(i64),
    Left,
    /// The cart becomes an order, now.
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
            id: mix(mix(seed ^ 0x7365_7373).wrapping_add(number)),
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

    /// Does what its stage is, and goes on to the next.
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
                // Not one of the contract's types: taken as a custom one.
                let name = if world.rng.permille(100) { "chat_opened" } else { "page_viewed" };
                self.tell(world, at, name, Step::None, |json, _| url(json, "/help/", page));
            }
            Stage::Search => {
                let query = world.rng.one_of(&SEARCHES);
                self.tell(world, at, "products_searched", Step::None, |json, _| {
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
            Stage::Cart => self.tell_cart(world, at, "cart_viewed", Step::None),
            Stage::Remove => {
                if let Some(item) = self.cart.pop() {
                    self.product = item.product;
                    self.tell_product(world, at, "product_removed", Step::None, Some(item.quantity));
                }
            }
            Stage::Checkout => self.check_out(world, at),
            Stage::Shipping => {
                self.tell_cart(world, at, "shipping_info_added", Step::None);
                if self.visitor.channel == "app" {
                    self.tell_cart(world, at, "checkout_step_completed", Step::None);
                }
            }
            Stage::Code => self.tell_cart(world, at, "coupon_entered", Step::None),
            Stage::Answer => {
                let answer = if self.code.is_some() { "coupon_applied" } else { "coupon_denied" };
                self.tell_cart(world, at, answer, Step::None);
                if self.code.is_some() && world.rng.permille(50) {
                    self.code = None;
                    self.tell_cart(world, at, "coupon_removed", Step::None);
                }
            }
            Stage::Payment => self.tell_cart(world, at, "payment_info_added", Step::None),
            Stage::Failed => {
                self.tell_cart(world, at, "payment_failed", Step::None);
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

    fn land(&mut self, world: &mut World, at: i64) {
        let (page, product) = (world.rng.choose(&[(50, Some("/")), (20, Some("/new")), (30, None)]), self.product);
        let [referrer, source, medium, campaign] = self.arrival;
        self.tell(world, at, "page_viewed", Step::Opened, |json, catalogue| {
            match page {
                Some(page) => url(json, page, ""),
                None => url(json, "/p/", &catalogue.get(product).slug),
            }
            for (key, text) in
                [("referrer", referrer), ("utm_source", source), ("utm_medium", medium), ("utm_campaign", campaign)]
            {
                if !text.is_empty() {
                    json.text(key, text);
                }
            }
        });
        if let Some(promotion) = world.today.promotion {
            let name = if world.rng.permille(120) { "promotion_clicked" } else { "promotion_viewed" };
            self.tell(world, at, name, Step::None, |json, _| {
                json.text("list_id", promotion.code).integer("position", 1);
            });
        }
    }

    fn look_at_shelf(&mut self, world: &mut World, at: i64, name: &str) {
        // What they look for leads them to its shelf.
        self.product = world.catalogue.wanted(&mut world.rng);
        self.shelf = world.catalogue.get(self.product).shelf;
        let slug = SHELVES[self.shelf].slug;
        self.tell(world, at, name, Step::None, |json, _| {
            json.text("list_id", slug);
            url(json, "/c/", slug);
        });
    }

    fn click(&mut self, world: &mut World, at: i64) {
        if world.rng.permille(350) {
            self.product = world.catalogue.any_on(self.shelf, &mut world.rng);
        }
        let (product, slug, position) = (self.product, SHELVES[self.shelf].slug, world.rng.below(24) + 1);
        self.tell(world, at, "product_clicked", Step::None, |json, _| {
            product_id(json, product);
            json.text("list_id", slug).integer("position", position);
        });
    }

    fn view(&mut self, world: &mut World, at: i64) {
        let step = if self.viewed { Step::None } else { Step::Viewed };
        self.viewed = true;
        self.tell_product(world, at, "product_viewed", step, None);
    }

    fn add(&mut self, world: &mut World, at: i64) {
        let quantity = quantity_of(world.catalogue.get(self.product).by_metre(), &mut world.rng);
        let step = if self.added { Step::None } else { Step::Added };
        self.added = true;
        self.tell_product(world, at, "product_added", step, Some(quantity));
        match self.cart.iter_mut().find(|item| item.product == self.product) {
            Some(item) => item.quantity += quantity,
            None => self.cart.push(Item { product: self.product, quantity }),
        }
        // The next that the shop recommends.
        self.product = world.catalogue.wanted(&mut world.rng);
    }

    /// Those who are not known yet open an account or go on as guests.
    fn check_out(&mut self, world: &mut World, at: i64) {
        if self.visitor.customer.is_none() && !self.is_test && world.rng.permille(620) {
            world.people.register(&mut self.visitor);
            self.code = world.rng.permille(350).then_some(WELCOME);
            self.announce(world, at);
        }
        self.tell_cart(world, at, "checkout_started", Step::Checkout);
    }

    /// A record of the customer, if they are new or have moved.
    fn announce(&mut self, world: &mut World, at: i64) {
        if let Some(customer) = self.visitor.customer
            && world.people.has_news(customer, &mut world.rng)
        {
            self.visitor.home = world.people.home_of(customer);
            world.post_customer(at, customer, &self.visitor.home);
        }
    }

    fn tell_product(&mut self, world: &mut World, at: i64, name: &str, step: Step, quantity: Option<i64>) {
        let (product, cart) = (self.product, self.id);
        let money = self.visitor.home.country.money;
        self.tell(world, at, name, step, |json, catalogue| {
            let held = catalogue.get(product);
            product_id(json, product);
            if let Some(quantity) = quantity {
                json.quantity("quantity", quantity).opaque_id("cart_id", "k", cart);
            }
            json.amount("price", held.price(money).unit, MONIES[money].digits).text("currency", MONIES[money].code);
            if quantity.is_none() {
                url(json, "/p/", &held.slug);
            }
        });
    }

    /// An event about the cart as a whole; from the checkout on it names that too.
    pub(super) fn tell_cart(&mut self, world: &mut World, at: i64, name: &str, step: Step) {
        let (cart, stage) = (self.id, self.stage);
        let (order, tag) = (self.order.filter(|_| stage == Stage::Order), world.tag);
        self.tell(world, at, name, step, |json, _| {
            if stage == Stage::Cart {
                json.opaque_id("cart_id", "k", cart);
                url(json, "/cart", "");
                return;
            }
            json.opaque_id("checkout_id", "x", cart);
            if step == Step::Checkout {
                url(json, "/checkout", "");
            }
            if let Some(number) = order {
                tag.order_id(json, number);
            }
        });
    }

    /// Posts a behaviour event of this session; `write` adds the fields of its type.
    fn tell(&mut self, world: &mut World, at: i64, name: &str, step: Step, write: impl FnOnce(&mut Json<'_>, &Catalogue)) {
        // The steps of the funnel come in time: the session is counted by them.
        let pace = if step == Step::None { Pace::Strays } else { Pace::Punctual };
        let effect = self.effect(world.today.key, step);
        let World { outbox, catalogue, .. } = world;
        let visitor = &self.visitor;
        outbox.post(Post { contract: Contract::Event, at, pace, effect }, |json| {
            json.text("type", name).text("channel", visitor.channel).opaque_id("session_id", "s", self.id);
            json.opaque_id("anonymous_id", "a", visitor.anonymous_id);
            write_customer_id(json, visitor.customer);
            if self.is_test {
                json.flag("is_test", true);
            }
            if self.is_bot {
                json.flag("is_bot", true);
            }
            json.text("device", visitor.device).text("country", visitor.home.country.code);
            write(json, catalogue);
        });
    }

    fn effect(&mut self, day: i32, step: Step) -> Effect {
        if self.is_test || self.is_bot {
            return Effect::None;
        }
        let now = (day, self.visitor.person());
        let person = (self.counted != now).then_some(now.1);
        // Only a record that is certain to come at once settles that the day has counted them.
        if step != Step::None {
            self.counted = now;
        }
        Effect::Event { day, person, step, session_day: self.day }
    }
}

/// In 10^-3: pieces, mostly one; metres by the half.
fn quantity_of(by_metre: bool, rng: &mut Rng) -> i64 {
    if by_metre { rng.between(1, 9) * 500 } else { rng.choose(&[(74, 1_000), (15, 2_000), (4, 3_000), (4, 4_000), (3, 6_000)]) }
}

fn url(json: &mut Json<'_>, page: &str, rest: &str) {
    json.texts("url", &["https://harbour.example", page, rest]);
}
