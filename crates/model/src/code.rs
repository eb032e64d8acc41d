//! The codes of kassa's errors: C for configuration, K for running. Each has a page,
//! `docs/errors/<code>.md`; the reasons of dead letters ([`crate::Reason`]) have theirs beside
//! them.

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $title:literal;)*) => {
        /// An error's code: stable, so that users can search for it and scripts can match it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[doc = $doc])* $name,)* }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            pub fn code(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// The heading of the code's page.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }

            /// Where the code's page lies in the repository.
            pub fn page(self) -> &'static str {
                match self { $(Code::$name => concat!("docs/errors/", $code, ".md"),)* }
            }
        }
    };
}

codes! {
    ConfigUnreadable = "C001", "the configuration file cannot be read";
    NotToml = "C002", "the configuration file is not TOML";
    UnknownKey = "C003", "unknown key or section";
    UnknownVariable = "C004", "unknown environment variable";
    WrongType = "C005", "a value has the wrong type";
    UnknownChoice = "C006", "a value is not one of the choices";
    BadQuantity = "C007", "a size, duration or number is malformed or out of bounds";
    UnknownTimeZone = "C008", "unknown time zone";
    UnknownCurrency = "C009", "unknown currency";
    BadUrl = "C010", "a URL that this build cannot open";
    BadAddress = "C011", "a listen address is malformed";
    NotLoopback = "C012", "refused to listen beyond this machine";
    BadName = "C013", "a name is not allowed";
    NoContract = "C014", "a stream has no contract";
    TwoMappings = "C015", "a stream has both `map` and `map_file`";
    NamedFileUnreadable = "C016", "a file that the configuration names cannot be read";
    BadMapping = "C017", "a mapping does not compile";
    SharedTopic = "C018", "two streams read the same topic";
    NoEffect = "C019", "a key has no effect here";
    Contradiction = "C020", "two limits contradict each other";
    FoldersOverlap = "C021", "two folders overlap";
    MissingKey = "C022", "a required key is missing";
    NotAFolder = "C023", "the data folder is not a folder";
    BadLookup = "C024", "a reference table cannot be used";
    BadSecret = "C025", "a secret cannot be read, or is written out";

    /// Another process holds the lake's lock.
    LakeLocked = "K001", "the lake is locked by another process";
    LakeCorrupt = "K002", "the lake contradicts itself";
    LogCorrupt = "K003", "the collector's log is corrupt";
    /// Disk full, EIO, permission.
    StorageFailed = "K004", "the disk is full or failing";
    SyncFailed = "K005", "fsync failed";
    /// A file given to replay.
    InputUnreadable = "K006", "an input file cannot be read";
    UnknownFigure = "K007", "unknown figure or grouping";
    SqlRefused = "K008", "the SQL statement is refused";
    PortInUse = "K009", "the port is in use";
    ProofFailed = "K010", "the proof failed";
    /// HTTP 404 of the collector.
    UnknownStream = "K011", "no such stream";
    /// HTTP 400 of the collector.
    EmptyBody = "K012", "the request has no records";
    /// HTTP 413 of the collector.
    TooLarge = "K013", "the request is too large";
    /// HTTP 429 of the collector.
    LogFull = "K014", "the collector's log is full";
    /// HTTP 400 of the API; usage error of the command line.
    BadParameter = "K015", "a parameter is malformed";
    /// The positions on disk are not those at which the batch begins.
    Fenced = "K016", "another writer moved the positions";
    /// HTTP 404 and 405.
    NoSuchAddress = "K017", "no such address";
    /// HTTP 421 and 403: a browser sends it for a page of another site.
    ForeignSite = "K018", "a request from another site is refused";
    /// HTTP 429 and 503.
    TooManyAtOnce = "K019", "too many requests at once";
    /// HTTP 500.
    Defect = "K020", "a defect of kassa";
    /// Wrong credentials, missing rights, no such bucket: the operator must change something first.
    StoreRefused = "K021", "a store refuses what kassa needs";
    /// Time-outs, 503, a connection refused, after all retries.
    StoreUnreachable = "K022", "a store cannot be reached";
    /// Kafka or the schema registry.
    SourceRefused = "K023", "Kafka or the registry refuses what kassa needs";
    /// Kafka or the schema registry.
    SourceUnreachable = "K024", "Kafka or the registry cannot be reached";
    /// COPY, or the transaction that applies it.
    ExportFailed = "K025", "a statement of the export failed in Redshift";
    /// A lake, a warehouse or a log that a newer kassa has written.
    NewerFormat = "K026", "a newer version has written this";
    /// A rebuild has exchanged some tables of the star and not all of them.
    Rebuilding = "K027", "the star is being rebuilt";
    /// Memory, time or nesting of one query of `kassa sql`.
    QueryLimit = "K033", "a query exceeds a limit";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
