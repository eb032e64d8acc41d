//! Two members with one key: which record is refused for it, and how a proof finds that there are two.

use std::collections::HashMap;

use kassa_model::key::Checked;
use kassa_model::{DeadLetter, Key, Reason, Table};

/// Two members have one key: the lake would add up what does not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collision {
    pub table: Table,
    pub key: Key,
}

/// Between the table and the key in a dead letter's words.
const BETWEEN: &str = " has the key ";
const BEFORE: &str = "another member of ";

impl Collision {
    /// The dead letter of the record that named its member later.
    pub fn letter(self) -> DeadLetter {
        let detail = format!("{BEFORE}{}{BETWEEN}{}", self.table.name(), self.key.stored());
        DeadLetter::new(Reason::KeyCollision, self.field(), detail)
    }

    /// What a dead letter says, by its detail.
    pub fn of_detail(detail: &str) -> Option<Self> {
        let (name, key) = detail.strip_prefix(BEFORE)?.split_once(BETWEEN)?;
        let table = Table::ALL.into_iter().find(|table| table.name() == name)?;
        Some(Self { table, key: Key::from_stored(key.parse().ok()?) })
    }

    /// The field of the contract that names members of the table, if only one does.
    fn field(self) -> &'static str {
        match self.table {
            Table::DimCustomer => "customer_id",
            Table::DimProduct => "product_id",
            Table::DimCategory => "category",
            Table::DimChannel => "channel",
            Table::DimPaymentMethod => "method",
            Table::FactOrder => "order_id",
            _ => "",
        }
    }
}

/// Sees every member that records name, and notes for the wanted keys whether two natural keys have them.
#[derive(Debug, Default)]
pub struct Witness {
    wanted: HashMap<(Table, Key), Seen>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    first: Option<u32>,
    differ: bool,
}

impl Witness {
    pub fn want(&mut self, Collision { table, key }: Collision) {
        self.wanted.entry((table, key)).or_default();
    }

    /// Whether the records seen so far have named two members with the key.
    pub fn confirms(&self, Collision { table, key }: Collision) -> bool {
        self.wanted.get(&(table, key)).is_some_and(|seen| seen.differ)
    }

    pub(crate) fn see(&mut self, table: Table, Checked { key, check }: Checked) {
        if let Some(seen) = self.wanted.get_mut(&(table, key)) {
            seen.differ |= *seen.first.get_or_insert(check) != check;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_says_which_key_is_shared() {
        for table in [Table::DimCustomer, Table::DimCity] {
            let collision = Collision { table, key: Key::from_stored(4_430_287_889_219_325_157) };
            let letter = collision.letter();
            assert_eq!(letter.reason, Reason::KeyCollision);
            assert_eq!(Collision::of_detail(&letter.detail), Some(collision));
        }
        for other in ["", "another member of dim_customer", "another member of dim_x has the key 7", "the id was accepted"] {
            assert_eq!(Collision::of_detail(other), None, "{other}");
        }
    }

    #[test]
    fn a_witness_confirms_what_two_members_show() {
        let collision = Collision { table: Table::DimCustomer, key: Key::from_stored(7) };
        let mut witness = Witness::default();
        let see = |witness: &mut Witness, check| witness.see(Table::DimCustomer, Checked { key: collision.key, check });
        see(&mut witness, 1);
        see(&mut witness, 2);
        assert!(!witness.confirms(collision), "nobody had asked");
        witness.want(collision);
        see(&mut witness, 1);
        see(&mut witness, 1);
        assert!(!witness.confirms(collision));
        see(&mut witness, 2);
        assert!(witness.confirms(collision));
    }
}
