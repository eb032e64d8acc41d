//! The shop's products: about five hundred on thirty shelves, whose prices change from time to
//! time.

use super::json::{Json, digits};
use super::rng::{Rng, Weighted};
use super::words::{BRANDS, MATERIALS, MONIES, SHELVES, STYLES};

const PRODUCTS_A_SHELF: usize = 17;

#[derive(Debug)]
pub(super) struct Product {
    pub(super) shelf: usize,
    pub(super) name: String,
    pub(super) brand: &'static str,
    /// The product's page, below `/p/`.
    pub(super) slug: String,
    /// The full price in the home currency.
    pence: i64,
    cost: i64,
    /// The percentage off the full price, independent of promotions.
    markdown: i64,
}

/// The price of a product in a currency, in 10^-6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Price {
    pub(super) list: i64,
    pub(super) unit: i64,
}

#[derive(Debug)]
pub(super) struct Catalogue {
    products: Vec<Product>,
    /// Zipf: the product of rank n is chosen 1/n times as often as the first one.
    popularity: Weighted,
    by_rank: Vec<u16>,
}

impl Catalogue {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let products: Vec<Product> = (0..SHELVES.len() * PRODUCTS_A_SHELF).map(|at| Product::new(at, rng)).collect();
        let mut by_rank: Vec<u16> = (0..products.len() as u16).collect();
        for at in (1..by_rank.len()).rev() {
            by_rank.swap(at, rng.index(at + 1));
        }
        // Popular products are cheap: of three ranks a third apart, the first gets the cheapest of
        // their products.
        let third = by_rank.len() / 3;
        for at in 0..third {
            let mut ranks = [by_rank[at], by_rank[at + third], by_rank[at + 2 * third]];
            ranks.sort_by_key(|product| products[usize::from(*product)].pence);
            [by_rank[at], by_rank[at + third], by_rank[at + 2 * third]] = ranks;
        }
        let popularity = Weighted::new((1..=products.len() as u64).map(|rank| 1_000_000 / rank));
        Self { products, popularity, by_rank }
    }

    pub(super) fn get(&self, product: u16) -> &Product {
        &self.products[usize::from(product)]
    }

    pub(super) fn len(&self) -> u16 {
        self.products.len() as u16
    }

    /// Chooses a product by popularity.
    pub(super) fn wanted(&self, rng: &mut Rng) -> u16 {
        self.by_rank[self.popularity.draw(rng)]
    }

    pub(super) fn any_on(&self, shelf: usize, rng: &mut Rng) -> u16 {
        (shelf * PRODUCTS_A_SHELF + rng.index(PRODUCTS_A_SHELF)) as u16
    }

    /// Changes a price, or starts or ends a markdown.
    pub(super) fn reprice(&mut self, product: u16, rng: &mut Rng) {
        let product = &mut self.products[usize::from(product)];
        match rng.below(3) {
            0 => product.markdown = rng.one_of(&[0, 10, 20, 25, 30]),
            1 => product.pence = charming(product.pence * rng.between(90, 97) / 100).max(product.cost),
            _ => product.pence = charming(product.pence * rng.between(103, 112) / 100),
        }
    }

    pub(super) fn write_product(&self, number: u16, home: usize, json: &mut Json<'_>) {
        let product = self.get(number);
        json.id("sku", &["HP"], u64::from(number) * 37 + 1_000, "").text("name", &product.name).text("brand", product.brand);
        json.array_of_texts("category", SHELVES[product.shelf].path);
        let money = &MONIES[home];
        json.amount("price", product.price(home).unit, money.digits).amount(
            "cost",
            in_money(product.cost, home, false),
            money.digits,
        );
        json.text("currency", money.code).text("status", "active");
    }
}

pub(super) fn product_id(json: &mut Json<'_>, product: u16) {
    json.id("product_id", &["P"], u64::from(product) + 1, "");
}

impl Product {
    fn new(at: usize, rng: &mut Rng) -> Self {
        let shelf = at / PRODUCTS_A_SHELF;
        let noun = rng.one_of(SHELVES[shelf].nouns);
        let style = STYLES[(at + at / STYLES.len()) % STYLES.len()];
        let name =
            if rng.permille(600) { format!("{style} {} {noun}", rng.one_of(&MATERIALS)) } else { format!("{style} {noun}") };
        let (cheapest, dearest) = SHELVES[shelf].pounds;
        // The lowest of three draws: most products are cheap, few are expensive.
        let span = (dearest - cheapest) * 100;
        let above = (0..3).map(|_| rng.between(0, span)).min().unwrap_or(0);
        let pence = charming(cheapest * 100 + above);
        let mut slug = Vec::from(SHELVES[shelf].slug.as_bytes());
        slug.extend_from_slice(b"/p");
        digits(&mut slug, at as u64 + 1, 4);
        Self {
            shelf,
            name,
            brand: rng.one_of(&BRANDS),
            slug: String::from_utf8_lossy(&slug).into_owned(),
            pence,
            cost: pence * rng.between(38, 62) / 100,
            markdown: if rng.permille(120) { rng.one_of(&[10, 20, 30]) } else { 0 },
        }
    }

    pub(super) fn price(&self, money: usize) -> Price {
        let by_metre = SHELVES[self.shelf].by_metre;
        let list = in_money(self.pence, money, by_metre);
        let unit = if self.markdown == 0 { list } else { in_money(self.pence * (100 - self.markdown) / 100, money, by_metre) };
        Price { list, unit }
    }

    pub(super) fn by_metre(&self) -> bool {
        SHELVES[self.shelf].by_metre
    }
}

/// Prices that end in .49 or .99.
fn charming(pence: i64) -> i64 {
    ((pence + 25) / 50 * 50).max(100) - 1
}

/// Pence in a currency by the shop's own price list, in 10^-6. `even`: half of the price must be
/// payable too.
pub(super) fn in_money(pence: i64, money: usize, even: bool) -> i64 {
    let money = &MONIES[money];
    let snap = money.snap * if even { 2 } else { 1 };
    let hundredths = (pence * money.per_pound / 1_000 + snap / 2) / snap * snap;
    hundredths.max(snap) * 10_000
}
