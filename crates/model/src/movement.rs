//! The kinds of rows in the sales ledger.

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Movement {
    Sale,
    Return,
    Cancellation,
    Adjustment,
}

impl Movement {
    pub const ALL: [Movement; 4] = [Movement::Sale, Movement::Return, Movement::Cancellation, Movement::Adjustment];

    /// As records and `fact_sales.movement` spell it.
    pub fn name(self) -> &'static str {
        match self {
            Movement::Sale => "sale",
            Movement::Return => "return",
            Movement::Cancellation => "cancellation",
            Movement::Adjustment => "adjustment",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|movement| movement.name() == name)
    }
}
