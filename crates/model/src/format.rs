//! The formats of a stream's records.

macro_rules! formats {
    ($($(#[$doc:meta])* $format:ident = $name:literal,)+) => {
        /// The format of a stream's records.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Format {
            $($(#[$doc])* $format,)+
        }

        impl Format {
            pub const ALL: &'static [Self] = &[$(Self::$format,)+];
            /// The names in configurations.
            pub const NAMES: &'static [&'static str] = &[$($name,)+];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$format => $name,)+
                }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|format| format.name() == name)
            }
        }
    };
}

// `kassa_pipeline::formats` has the implementation of each.
formats! {
    /// In files: one object per line.
    Json = "json",
    /// By the header line of a file, or by the columns that the stream states. Records that have neither, as those of the collector, are
    /// JSON.
    Csv = "csv",
    /// In a schema registry's framing.
    Avro = "avro",
    /// Debezium's change events, as JSON.
    Debezium = "debezium-json",
    /// Files only: their rows become JSON objects.
    Parquet = "parquet",
}
