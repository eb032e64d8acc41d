//! Validated events: the contents of a record in the contract's terms. Texts borrow from the record.

use kassa_model::contract::{Contract, EVENT_TYPES};
use kassa_model::key::Checked;
use kassa_model::{Amount, Currency, DeadLetter, Movement, Quantity, Rate, Reason};

use crate::decode::{Layout, Payload};
use crate::validate::Reader;

/// The fields of every event.
#[derive(Debug)]
pub struct Envelope<'r> {
    pub event_id: Option<&'r str>,
    pub occurred_at: i64,
    pub source: Option<&'r str>,
    pub store_id: &'r str,
    pub channel: &'r str,
    pub session_id: Option<&'r str>,
    pub anonymous_id: Option<&'r str>,
    pub customer_id: &'r str,
    /// Unknown until the stage has made it: a verdict alone needs no keys.
    pub customer: Checked,
    pub is_test: bool,
    pub is_bot: bool,
}

#[derive(Debug, Default)]
pub struct Address<'r> {
    pub street: Option<&'r str>,
    pub postcode: Option<&'r str>,
    pub city: Option<&'r str>,
    pub region: Option<&'r str>,
    pub country: Option<&'static str>,
}

#[derive(Debug)]
pub struct Behaviour<'r> {
    /// One of [`EVENT_TYPES`], or `custom`.
    pub kind: &'r str,
    pub custom_kind: Option<&'r str>,
    pub product_id: Option<&'r str>,
    pub quantity: Option<Quantity>,
    pub price: Option<Amount>,
    pub currency: Option<Currency>,
    pub url: Option<&'r str>,
    pub referrer: Option<&'r str>,
    /// source, medium, campaign, term, content
    pub utm: [Option<&'r str>; 5],
    pub device: Option<&'r str>,
    pub country: Option<&'static str>,
    pub search_query: Option<&'r str>,
    pub list_id: Option<&'r str>,
    pub position: Option<i64>,
    pub cart_id: Option<&'r str>,
    pub checkout_id: Option<&'r str>,
    pub order_id: Option<&'r str>,
}

#[derive(Debug)]
pub struct Order<'r> {
    pub order_id: &'r str,
    pub revision: i64,
    /// status, financial, fulfilment
    pub statuses: [Option<&'r str>; 3],
    pub placed_at: i64,
    /// processed, paid, cancelled, closed
    pub milestones: [Option<i64>; 4],
    pub cancel_reason: Option<&'r str>,
    pub currency: Option<Currency>,
    pub shop_currency: Option<Currency>,
    pub tax_included: Option<bool>,
    /// subtotal, discount, tax, shipping, duty, tip, gift_card, total
    pub amounts: [Option<Amount>; 8],
    pub coupons: Option<String>,
    pub billing: Address<'r>,
    pub shipping: Address<'r>,
    pub attribution: Option<&'r str>,
    pub lines: Option<&'r str>,
}

#[derive(Debug)]
pub struct OrderLine<'r> {
    pub order_id: &'r str,
    pub line_id: &'r str,
    pub movement: Movement,
    pub placed_at: i64,
    pub product_id: Option<&'r str>,
    pub variant_id: Option<&'r str>,
    pub sku: Option<&'r str>,
    pub name: Option<&'r str>,
    pub brand: Option<&'r str>,
    pub category: Option<String>,
    pub quantity: Quantity,
    /// The price of one piece without any reduction.
    pub list_price: Option<Amount>,
    pub unit_price: Option<Amount>,
    /// Signed like the movement, as are discount, tax and shipping.
    pub gross: Amount,
    pub discount: Amount,
    pub tax: Amount,
    pub shipping: Amount,
    pub currency: Currency,
    pub is_gift_card: bool,
    pub promotion: Option<&'r str>,
    pub ship_to: Address<'r>,
}

#[derive(Debug)]
pub struct Payment<'r> {
    pub payment_id: &'r str,
    pub order_id: &'r str,
    pub kind: &'r str,
    pub parent_id: Option<&'r str>,
    pub status: Option<&'r str>,
    pub gateway: Option<&'r str>,
    pub method: Option<&'r str>,
    pub amount: Amount,
    pub currency: Currency,
    pub instalments: Option<i64>,
    pub sequence: Option<i64>,
}

#[derive(Debug)]
pub struct Refund<'r> {
    pub refund_id: &'r str,
    pub order_id: &'r str,
    pub currency: Currency,
    pub placed_at: i64,
    pub shipping: Option<Amount>,
    pub adjustments: Option<Amount>,
    pub lines: Option<&'r str>,
    pub ship_to: Address<'r>,
}

#[derive(Debug)]
pub struct Customer<'r> {
    pub name: Option<&'r str>,
    pub email: Option<&'r str>,
    pub phone: Option<&'r str>,
    pub segment: Option<&'r str>,
    pub consent: Option<&'r str>,
    pub address: Address<'r>,
}

#[derive(Debug)]
pub struct Product<'r> {
    pub product_id: &'r str,
    pub variant_id: Option<&'r str>,
    pub sku: Option<&'r str>,
    pub name: Option<&'r str>,
    pub brand: Option<&'r str>,
    pub category: Option<String>,
    pub price: Option<Amount>,
    pub cost: Option<Amount>,
    pub currency: Option<Currency>,
    pub status: Option<&'r str>,
}

#[derive(Debug)]
pub struct Inventory<'r> {
    pub product_id: &'r str,
    pub variant_id: Option<&'r str>,
    pub location: &'r str,
    pub level: Quantity,
}

#[derive(Debug)]
pub struct FxRate {
    pub base: Currency,
    pub quote: Currency,
    pub day: i32,
    pub rate: Rate,
}

/// The fields of one contract, without the envelope.
#[derive(Debug)]
pub enum Body<'r> {
    Event(Behaviour<'r>),
    /// Boxed, because it is much larger than the other variants.
    Order(Box<Order<'r>>),
    OrderLine(OrderLine<'r>),
    Payment(Payment<'r>),
    Refund(Refund<'r>),
    Customer(Customer<'r>),
    Product(Product<'r>),
    Inventory(Inventory<'r>),
    FxRate(FxRate),
}

#[derive(Debug)]
pub struct Event<'r> {
    pub envelope: Envelope<'r>,
    pub body: Body<'r>,
    pub content_hash: i64,
    pub extra: Option<&'r str>,
}

/// Validates a payload against its contract.
pub fn validate<'r, 'a>(
    layout: &'r Layout,
    payload: &'r Payload<'a>,
    zone: &'r jiff::tz::TimeZone,
) -> Result<Event<'r>, DeadLetter> {
    let mut r = Reader::new(layout, payload, zone);
    let envelope = envelope(&mut r, layout.contract)?;
    let body = match layout.contract {
        Contract::Event => Body::Event(behaviour(&mut r)?),
        Contract::Order => Body::Order(Box::new(order(&mut r, &envelope)?)),
        Contract::OrderLine => Body::OrderLine(order_line(&mut r, &envelope)?),
        Contract::Payment => Body::Payment(payment(&mut r)?),
        Contract::Refund => Body::Refund(refund(&mut r, &envelope)?),
        Contract::Customer => Body::Customer(customer(&mut r)?),
        Contract::Product => Body::Product(product(&mut r)?),
        Contract::Inventory => Body::Inventory(inventory(&mut r)?),
        Contract::FxRate => Body::FxRate(fx_rate(&mut r)?),
    };
    Ok(Event { envelope, body, content_hash: r.content_hash(), extra: r.extra() })
}

fn envelope<'r>(r: &mut Reader<'r, '_>, contract: Contract) -> Result<Envelope<'r>, DeadLetter> {
    let event_id = r.id("event_id")?;
    if contract == Contract::Event {
        // A behaviour event has no business key that could replace an absent id.
        r.must(event_id)?;
    }
    let occurred_at = r.timestamp("occurred_at")?;
    let occurred_at = r.must(occurred_at)?;
    let source = r.id("source")?;
    r.id("schema_version")?;
    r.timestamp("sent_at")?;
    // Ids and the details of delivery differ when an event is sent twice; all later fields must not.
    r.forget();
    let store_id = r.id("store_id")?.unwrap_or_default();
    let (channel, session_id, anonymous_id) = (r.id("channel")?.unwrap_or_default(), r.id("session_id")?, r.id("anonymous_id")?);
    let customer_id = r.id("customer_id")?;
    let customer_id = if contract == Contract::Customer { r.must(customer_id)? } else { customer_id.unwrap_or_default() };
    Ok(Envelope {
        event_id,
        occurred_at,
        source,
        store_id,
        channel,
        session_id,
        anonymous_id,
        customer_id,
        customer: Checked::default(),
        is_test: r.boolean("is_test")?.unwrap_or(false),
        is_bot: r.boolean("is_bot")?.unwrap_or(false),
    })
}

fn behaviour<'r>(r: &mut Reader<'r, '_>) -> Result<Behaviour<'r>, DeadLetter> {
    let named = r.id("type")?;
    let named = r.must(named)?;
    let known = EVENT_TYPES.contains(&named);
    Ok(Behaviour {
        kind: if known { named } else { "custom" },
        custom_kind: (!known).then_some(named),
        product_id: r.id("product_id")?,
        quantity: r.quantity("quantity")?,
        price: r.amount("price")?,
        currency: r.currency("currency")?,
        url: r.long_text("url")?,
        referrer: r.long_text("referrer")?,
        utm: [r.text("utm_source")?, r.text("utm_medium")?, r.text("utm_campaign")?, r.text("utm_term")?, r.text("utm_content")?],
        device: r.text("device")?,
        country: r.country("country")?,
        search_query: r.long_text("search_query")?,
        list_id: r.id("list_id")?,
        position: r.integer("position")?,
        cart_id: r.id("cart_id")?,
        checkout_id: r.id("checkout_id")?,
        order_id: r.id("order_id")?,
    })
}

fn address<'r>(r: &mut Reader<'r, '_>, names: &[&str; 5]) -> Result<Address<'r>, DeadLetter> {
    Ok(Address {
        street: r.text(names[0])?,
        postcode: r.text(names[1])?,
        city: r.text(names[2])?,
        region: r.text(names[3])?,
        country: r.country(names[4])?,
    })
}

const SHIPPING: [&str; 5] = [
    "shipping_address_street",
    "shipping_address_postcode",
    "shipping_address_city",
    "shipping_address_region",
    "shipping_address_country",
];
const BILLING: [&str; 5] = [
    "billing_address_street",
    "billing_address_postcode",
    "billing_address_city",
    "billing_address_region",
    "billing_address_country",
];
const HOME: [&str; 5] = ["address_street", "address_postcode", "address_city", "address_region", "address_country"];

fn order<'r>(r: &mut Reader<'r, '_>, envelope: &Envelope<'_>) -> Result<Order<'r>, DeadLetter> {
    let order_id = r.id("order_id")?;
    Ok(Order {
        order_id: r.must(order_id)?,
        revision: r.integer("revision")?.unwrap_or(0),
        statuses: [r.id("status")?, r.id("financial_status")?, r.id("fulfilment_status")?],
        placed_at: r.timestamp("placed_at")?.unwrap_or(envelope.occurred_at),
        milestones: [
            r.timestamp("processed_at")?,
            r.timestamp("paid_at")?,
            r.timestamp("cancelled_at")?,
            r.timestamp("closed_at")?,
        ],
        cancel_reason: r.text("cancel_reason")?,
        currency: r.currency("currency")?,
        shop_currency: r.currency("shop_currency")?,
        tax_included: r.boolean("tax_included")?,
        amounts: [
            r.amount("subtotal")?,
            r.amount("discount")?,
            r.amount("tax")?,
            r.amount("shipping")?,
            r.amount("duty")?,
            r.amount("tip")?,
            r.amount("gift_card")?,
            r.amount("total")?,
        ],
        coupons: r.texts("coupons")?,
        billing: address(r, &BILLING)?,
        shipping: address(r, &SHIPPING)?,
        attribution: r.text("attribution")?,
        lines: r.nested("lines")?,
    })
}

fn order_line<'r>(r: &mut Reader<'r, '_>, envelope: &Envelope<'_>) -> Result<OrderLine<'r>, DeadLetter> {
    let order_id = r.id("order_id")?;
    let order_id = r.must(order_id)?;
    let line_id = r.id("line_id")?;
    let line_id = r.must(line_id)?;
    let movement = match r.id("movement")? {
        None => Movement::Sale,
        Some(name) => Movement::parse(name)
            .ok_or_else(|| r.refuse(Reason::UnknownValue, "expected sale, return, cancellation or adjustment"))?,
    };
    let placed_at = r.timestamp("placed_at")?.unwrap_or(envelope.occurred_at);
    let (product_id, variant_id, sku) = (r.id("product_id")?, r.id("variant_id")?, r.id("sku")?);
    let (name, brand, category) = (r.text("name")?, r.text("brand")?, r.category("category")?);
    let quantity = r.quantity("quantity")?;
    let quantity = r.must(quantity)?;
    if movement == Movement::Sale && quantity < Quantity::ZERO {
        return Err(r.refuse(Reason::NegativeQuantity, "a sale has no negative quantity: send a return or a cancellation"));
    }
    let list_price = r.amount("list_price")?;
    let unit_price = r.amount("unit_price")?;
    // Build the error now, while `unit_price` is the current field; it is used only if `amount` is absent.
    let priced = match unit_price.map(|price| Amount::of(price, quantity)) {
        Some(priced) => priced.map_err(|error| r.refuse(Reason::OutOfRange, format!("unit_price × quantity is {error}"))),
        None => Err(r.refuse(Reason::MissingField, "a line needs unit_price or amount")),
    };
    let (discount, tax, shipping) = (r.amount("discount")?, r.amount("tax")?, r.amount("shipping")?);
    let gross = r.amount("amount")?.map_or(priced, Ok)?;
    let net = gross.minus(discount.unwrap_or_default());
    net.map_err(|error| r.refuse(Reason::OutOfRange, format!("the amount less the discount is {error}")))?;
    let currency = r.currency("currency")?;
    let currency = r.must(currency)?;
    // Returns and cancellations are stored as negative, also if the source sends positive numbers.
    let goes_back = matches!(movement, Movement::Return | Movement::Cancellation);
    let turned = goes_back && (gross > Amount::ZERO || (gross == Amount::ZERO && quantity > Quantity::ZERO));
    let signed = |amount: Option<Amount>| {
        let amount = amount.unwrap_or_default();
        if turned { Amount::from_units(-amount.0) } else { amount }
    };
    Ok(OrderLine {
        order_id,
        line_id,
        movement,
        placed_at,
        product_id,
        variant_id,
        sku,
        name,
        brand,
        category,
        quantity: if goes_back { quantity.min(Quantity::from_units(-quantity.0)) } else { quantity },
        list_price,
        unit_price,
        gross: signed(Some(gross)),
        discount: signed(discount),
        tax: signed(tax),
        shipping: signed(shipping),
        currency,
        is_gift_card: r.boolean("is_gift_card")?.unwrap_or(false),
        promotion: r.id("promotion")?,
        ship_to: address(r, &SHIPPING)?,
    })
}

const PAYMENT_KINDS: [&str; 6] = ["authorization", "capture", "sale", "void", "refund", "chargeback"];

fn payment<'r>(r: &mut Reader<'r, '_>) -> Result<Payment<'r>, DeadLetter> {
    let payment_id = r.id("payment_id")?;
    let payment_id = r.must(payment_id)?;
    let order_id = r.id("order_id")?;
    let order_id = r.must(order_id)?;
    let kind = r.id("kind")?;
    let kind = r.must(kind)?;
    if !PAYMENT_KINDS.contains(&kind) {
        return Err(r.refuse(Reason::UnknownValue, "expected authorization, capture, sale, void, refund or chargeback"));
    }
    let (parent_id, status, gateway, method) = (r.id("parent_id")?, r.id("status")?, r.id("gateway")?, r.id("method")?);
    let amount = r.amount("amount")?;
    let amount = r.must(amount)?;
    let currency = r.currency("currency")?;
    let currency = r.must(currency)?;
    Ok(Payment {
        payment_id,
        order_id,
        kind,
        parent_id,
        status,
        gateway,
        method,
        amount,
        currency,
        instalments: r.integer("instalments")?,
        sequence: r.integer("sequence")?,
    })
}

fn refund<'r>(r: &mut Reader<'r, '_>, envelope: &Envelope<'_>) -> Result<Refund<'r>, DeadLetter> {
    let refund_id = r.id("refund_id")?;
    let refund_id = r.must(refund_id)?;
    let order_id = r.id("order_id")?;
    let order_id = r.must(order_id)?;
    let currency = r.currency("currency")?;
    let currency = r.must(currency)?;
    let placed_at = r.timestamp("placed_at")?.unwrap_or(envelope.occurred_at);
    let (shipping, adjustments) = (r.amount("shipping")?, r.amount("adjustments")?);
    r.text("reason")?;
    let lines = r.nested("lines")?;
    Ok(Refund { refund_id, order_id, currency, placed_at, shipping, adjustments, lines, ship_to: address(r, &SHIPPING)? })
}

fn customer<'r>(r: &mut Reader<'r, '_>) -> Result<Customer<'r>, DeadLetter> {
    // The contract's own `customer_id` is the envelope's: one slot, read there.
    Ok(Customer {
        name: r.text("name")?,
        email: r.text("email")?,
        phone: r.text("phone")?,
        segment: r.text("segment")?,
        consent: r.text("consent")?,
        address: address(r, &HOME)?,
    })
}

fn product<'r>(r: &mut Reader<'r, '_>) -> Result<Product<'r>, DeadLetter> {
    let product_id = r.id("product_id")?;
    Ok(Product {
        product_id: r.must(product_id)?,
        variant_id: r.id("variant_id")?,
        sku: r.id("sku")?,
        name: r.text("name")?,
        brand: r.text("brand")?,
        category: r.category("category")?,
        price: r.amount("price")?,
        cost: r.amount("cost")?,
        currency: r.currency("currency")?,
        status: r.id("status")?,
    })
}

fn inventory<'r>(r: &mut Reader<'r, '_>) -> Result<Inventory<'r>, DeadLetter> {
    let product_id = r.id("product_id")?;
    let product_id = r.must(product_id)?;
    let variant_id = r.id("variant_id")?;
    let location = r.id("location")?;
    let location = r.must(location)?;
    let level = r.quantity("level")?;
    Ok(Inventory { product_id, variant_id, location, level: r.must(level)? })
}

fn fx_rate(r: &mut Reader<'_, '_>) -> Result<FxRate, DeadLetter> {
    let base = r.currency("base")?;
    let base = r.must(base)?;
    let quote = r.currency("quote")?;
    let quote = r.must(quote)?;
    let day = r.day("day")?;
    let day = r.must(day)?;
    let rate = r.rate("rate")?;
    let rate = r.must(rate)?;
    if rate <= Rate::ZERO {
        return Err(r.refuse(Reason::OutOfRange, "a rate is more than zero"));
    }
    Ok(FxRate { base, quote, day, rate })
}

/// A line of a refund, in the order of [`kassa_model::contract::REFUND_LINE`].
#[derive(Debug)]
pub struct RefundLine<'r> {
    pub line_id: &'r str,
    pub product_id: Option<&'r str>,
    pub quantity: Quantity,
    pub amount: Amount,
    pub tax: Option<Amount>,
}

pub fn refund_line<'r>(r: &mut Reader<'r, '_>) -> Result<RefundLine<'r>, DeadLetter> {
    let line_id = r.id("line_id")?;
    let line_id = r.must(line_id)?;
    let product_id = r.id("product_id")?;
    let quantity = r.quantity("quantity")?;
    let quantity = r.must(quantity)?;
    let amount = r.amount("amount")?;
    let amount = r.must(amount)?;
    let tax = r.amount("tax")?;
    r.boolean("restock")?;
    Ok(RefundLine { line_id, product_id, quantity, amount, tax })
}
