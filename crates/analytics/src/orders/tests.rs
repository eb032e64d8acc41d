use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use kassa_model::Movement;
use kassa_model::time::HOUR;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::cells::Sums;
use crate::rates::Coin;

proptest! {
    #[test]
    fn an_order_is_read_as_it_was_written(
        first_at: i64,
        members: [u32; 4],
        others in vec((0..4_u8, any::<u32>()), 0..4),
        products in vec(any::<u32>(), 0..9),
    ) {
        let (mut others, mut products) = (others, products);
        others.sort_unstable();
        products.sort_unstable();
        let order = Order { first_at, members, others, products };
        prop_assert_eq!(Order::read(&order.write()), Some(order));
    }
}

/// A line: the order, the hour of its time, its customer and country, its product.
type Line = (i64, i64, u32, u32, u32);

fn run((order, hour, customer, country, product): Line, calendar: &mut Calendar) -> Run {
    let at = hour * HOUR;
    let (ordered, moved) = (calendar.local(at), calendar.local(at));
    let head = Head {
        order_key: order,
        customer_key: i64::from(customer),
        movement: Movement::Sale,
        ordered_at: at,
        ordered,
        moved,
        customer,
        country,
        channel: 0,
        currency: 0,
        coin: Coin::default(),
    };
    Run::new(head, product, Sums::default())
}

/// The orders in full: hour, customers and products of each.
type Plain = BTreeMap<i64, (i64, BTreeSet<u32>, BTreeSet<u32>)>;

fn names() -> Names {
    let mut names = Names::default();
    for member in 1..8 {
        assert_eq!(names.members.id(member), u32::try_from(member).unwrap());
        names.set_plain(member, &format!("m{member}"));
    }
    names
}

proptest! {
    /// Lines of few orders over some days, in any order: the counts are those of plain sets.
    #[test]
    fn orders_are_counted_as_plain_sets_are(lines in vec((1..12_i64, 0..200_i64, 0..4_u32, 1..4_u32, 1..8_u32), 1..120), from in 0..8_i64) {
        let mut calendar = Calendar::new(TimeZone::UTC);
        let (mut orders, mut plain) = (Orders::new(calendar.clone()), Plain::new());
        for line in &lines {
            orders.add(&run(*line, &mut calendar));
            let known = plain.entry(line.0).or_insert_with(|| (line.1, BTreeSet::new(), BTreeSet::new()));
            known.0 = known.0.min(line.1);
            known.1.insert(line.2);
            known.2.insert(line.4);
        }
        let days = Days { from: calendar.date_key(from * 24 * HOUR), to: i32::MAX };
        let within: Vec<_> = plain.values().filter(|order| order.0 >= from * 24).collect();
        let total = orders.by_time(By::Total, days).into_values().sum::<i128>();
        prop_assert_eq!(total, i128::try_from(within.len()).unwrap());
        let names = names();
        let customers = orders.by_member(By::Customer, days, &names);
        for customer in 0..4_u32 {
            let expected = within.iter().filter(|order| order.1.contains(&customer)).count();
            prop_assert_eq!(customers.value(names.of(By::Customer, customer).0), i128::try_from(expected).unwrap());
        }
        let mut history = Vec::new();
        for (hour, customers, _) in plain.values() {
            history.extend(customers.iter().filter(|customer| **customer != 0).map(|customer| (*customer, calendar.date_key(hour * HOUR))));
        }
        prop_assert_eq!(orders.days_of_customers(), History::of(history));
        let mut products: Vec<Vec<u32>> = orders.each().map(|(_, order)| order.products).collect();
        let mut expected: Vec<Vec<u32>> = plain.values().map(|order| order.2.iter().copied().collect()).collect();
        products.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(products, expected);
    }
}
