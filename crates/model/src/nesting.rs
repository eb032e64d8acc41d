//! How deep a text of SQL nests, counted before a parser sees it. Parsers, planners and what evaluates their expressions call themselves
//! once a level, and a stack that overflows ends the process.

use std::fmt;

/// What a text of SQL may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The length of the text.
    pub bytes: usize,
    /// Operators, words and brackets one inside or after the other. A comma, WHEN, THEN, ELSE and UNION begin anew.
    pub depth: usize,
    /// SELECT, VALUES and TABLE: each may be an input of the next.
    pub selects: usize,
}

/// The first bound that a text exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    Bytes { found: usize, limit: usize },
    Depth { limit: usize },
    Selects { limit: usize },
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { found, limit } => write!(f, "the SQL has {found} bytes; the limit is {limit}"),
            Self::Depth { limit } => {
                write!(f, "the SQL nests too deeply: the limit is {limit} operators, words and brackets in one expression")
            }
            Self::Selects { limit } => write!(f, "the SQL has too many SELECTs: the limit is {limit}"),
        }
    }
}

impl std::error::Error for Excess {}

impl Bounds {
    /// To be checked before the text is split into tokens.
    pub fn check_length(&self, sql: &str) -> Result<(), Excess> {
        let (found, limit) = (sql.len(), self.bytes);
        if found > limit { Err(Excess::Bytes { found, limit }) } else { Ok(()) }
    }

    /// The tokens are those of the dialect's own tokenizer, without white space and comments.
    pub fn check<T: AsRef<str>>(&self, tokens: impl IntoIterator<Item = T>) -> Result<(), Excess> {
        let mut levels = Levels::default();
        let mut selects = 0;
        for token in tokens {
            let token = token.as_ref();
            selects += usize::from(["SELECT", "VALUES", "TABLE"].iter().any(|word| token.eq_ignore_ascii_case(word)));
            if selects > self.selects {
                return Err(Excess::Selects { limit: self.selects });
            }
            if levels.take(token) > self.depth {
                return Err(Excess::Depth { limit: self.depth });
            }
        }
        Ok(())
    }
}

/// One bracket, or one CASE.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// Tokens since the level began, or since its last separator.
    run: usize,
    /// The deepest bracket since then.
    inner: usize,
    /// The deepest part before it.
    earlier: usize,
    /// After FROM, a comma joins.
    joins: bool,
}

impl Level {
    fn deepest(&self) -> usize {
        self.earlier.max(self.run + self.inner)
    }
}

#[derive(Debug, Default)]
struct Levels {
    outer: Vec<Level>,
    this: Level,
}

impl Levels {
    /// The depth of what surrounds the token, as far as it is known: a bound from below that reaches the true depth with the last token of each part.
    fn take(&mut self, token: &str) -> usize {
        let is = |words: &[&str]| words.iter().any(|word| token.eq_ignore_ascii_case(word));
        if is(&["(", "[", "{", "CASE"]) {
            self.outer.push(std::mem::take(&mut self.this));
        } else if is(&[")", "]", "}", "END"]) {
            if let Some(outer) = self.outer.pop() {
                let depth = self.this.deepest() + 1;
                self.this = Level { inner: outer.inner.max(depth), ..outer };
            }
        } else if is(&["WHEN", "THEN", "ELSE"]) || is(&["UNION", "INTERSECT", "EXCEPT"]) || token == "," && !self.this.joins {
            self.this = Level { earlier: self.this.deepest(), joins: self.this.joins, ..Level::default() };
        } else if !is_literal(token) {
            self.this.run += 1;
            self.this.joins |= is(&["FROM"]);
            self.this.joins &= !is(&["SELECT", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "QUALIFY"]);
        }
        self.this.deepest().max(self.outer.len())
    }
}

/// Literals and the dots of names make nothing deeper.
fn is_literal(token: &str) -> bool {
    token == "." || token.starts_with(|first: char| first == '\'' || first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { bytes: 10_000, depth: 100, selects: 10 };

    fn check(sql: &str) -> Result<(), Excess> {
        BOUNDS.check_length(sql)?;
        BOUNDS.check(sql.split_whitespace())
    }

    /// A part as often as the text needs.
    fn times(part: &str, count: usize) -> String {
        part.repeat(count)
    }

    #[test]
    fn what_people_write_is_within_the_bounds() {
        let list = times("12 , ", 1_000);
        let columns = times("sum ( a . b ) AS c , ", 150);
        let cases = times("WHEN a = 1 AND b = 'x' THEN c ", 200);
        for sql in [
            format!("SELECT a FROM t WHERE a IN ( {list} 1 )"),
            format!("SELECT {columns} 1 FROM t"),
            format!("SELECT CASE {cases} ELSE 0 END FROM t"),
            format!("SELECT 1 WHERE {} true", times("a = 1 OR ", 30)),
            times("( ", 99) + "1" + &times(" )", 99),
        ] {
            assert_eq!(check(&sql), Ok(()), "{sql}");
        }
    }

    #[test]
    fn every_way_to_be_deep_is_found() {
        let deep = Err(Excess::Depth { limit: 100 });
        for sql in [
            "SELECT ".to_owned() + &times("( ", 101) + "1" + &times(" )", 101),
            "SELECT ".to_owned() + &times("( ", 3_000),
            "SELECT 1 ".to_owned() + &times("+ 1 ", 101),
            "SELECT ".to_owned() + &times("NOT ", 101) + "true",
            "SELECT ".to_owned() + &times("- ", 101) + "1",
            "SELECT a ".to_owned() + &times("IS NULL ", 101),
            "SELECT a ".to_owned() + &times(":: int ", 101),
            "SELECT a ".to_owned() + &times("[ 1 ] + ", 101),
            "SELECT * FROM a ".to_owned() + &times("JOIN a ON true ", 101),
            "SELECT * FROM a ".to_owned() + &times(", a ", 101),
            "SELECT ".to_owned() + &times("CASE WHEN a THEN ", 101) + "1 " + &times("END ", 101),
            "SELECT ".to_owned() + &times("f ( a , ", 60) + "1" + &times(" )", 60) + &times(" + 1", 101),
            "SELECT ( 1 ".to_owned() + &times("+ 1 ", 101) + ") , 2",
        ] {
            assert_eq!(check(&sql), deep, "{sql}");
        }
    }

    #[test]
    fn selects_and_bytes_are_counted() {
        assert_eq!(check(&("SELECT 1 ".to_owned() + &times("UNION SELECT 1 ", 10))), Err(Excess::Selects { limit: 10 }));
        assert_eq!(check(&times("x", 10_001)), Err(Excess::Bytes { found: 10_001, limit: 10_000 }));
    }
}
