//! The declaration of columns: the code that writes, reads and describes a table follows from it.
//! (Lists of columns with special treatment, such as encodings and day columns, are beside their
//! code: ARCHITECTURE.md, "What to change".)

/// Declares groups of columns, most of them tables. A doc comment is the meaning of a table or a
/// column, shown on the page of columns. `with lineage` appends the columns of another group.
///
/// Each group becomes a module with:
/// - `Row`: one row, with a field per column;
/// - `Builder`: one builder per column, which converts rows to Arrow arrays;
/// - a constant per column, its [`Name`](super::kind::Name) with its type, for readers;
/// - `COLUMNS`, `INHERITED` and `MEANING`: the declaration as values.
macro_rules! columns {
    ($(
        $(#[doc = $about:literal])+
        $group:ident $(with $lineage:ident)? {
            $( $(#[doc = $meaning:literal])+ $column:ident: $kind:ty, )+
        }
    )+) => {$(
        $(#[doc = $about])+
        #[allow(non_upper_case_globals, unused_imports, unused_mut)]
        pub mod $group {
            use arrow_array::ArrayRef;
            use arrow_schema::ArrowError;

            use super::*;
            use $crate::star::build::Build;
            use $crate::star::kind::{Cell, Column, Kind, Name, plain};

            pub const MEANING: &str = concat!($($about),+);
            /// The group's own columns, in order.
            pub const COLUMNS: &[Column] = &[$( Column {
                name: plain(stringify!($column)),
                kind: <$kind as Kind>::TYPE,
                is_nullable: <$kind as Kind>::IS_NULLABLE,
                doc: concat!($($meaning),+),
            } ),+];
            /// The groups whose columns follow them.
            pub const INHERITED: &[&[Column]] = &[$( $lineage::COLUMNS )?];

            $( $(#[doc = $meaning])+ pub const $column: Name<$kind> = Name::new(stringify!($column)); )+

            /// One row, with borrowed texts.
            #[derive(Debug, Clone, Copy)]
            pub struct Row<'a> {
                $( $(#[doc = $meaning])+ pub $column: Cell<'a, $kind>, )+
                $( pub $lineage: $lineage::Row<'a>, )?
            }

            /// The columns under construction.
            #[derive(Debug)]
            pub struct Builder {
                $( $column: <$kind as Kind>::Cells, )+
                $( $lineage: $lineage::Builder, )?
                rows: usize,
            }

            impl Builder {
                /// With room for so many rows.
                pub fn sized(rows: usize) -> Self {
                    Self {
                        $( $column: Build::sized(rows), )+
                        $( $lineage: $lineage::Builder::sized(rows), )?
                        rows: 0,
                    }
                }

                pub fn len(&self) -> usize {
                    self.rows
                }

                pub fn is_empty(&self) -> bool {
                    self.rows == 0
                }

                #[inline]
                pub fn push(&mut self, row: &Row<'_>) {
                    self.rows += 1;
                    $( self.$column.push(row.$column); )+
                    $( self.$lineage.push(&row.$lineage); )?
                }

                /// The columns, in order.
                pub fn arrays(self) -> Result<Vec<ArrayRef>, ArrowError> {
                    let mut arrays = vec![$( self.$column.finish()? ),+];
                    $( arrays.extend(self.$lineage.arrays()?); )?
                    Ok(arrays)
                }
            }
        }
    )+};
}

pub(super) use columns;
