//! The words of the shop. Texts are in JSON's form: quotes escaped, no control characters.

/// A currency that the shop sells in.
#[derive(Debug)]
pub(super) struct Money {
    pub(super) code: &'static str,
    /// Digits after the point in its prices.
    pub(super) digits: u32,
    /// Its price for one pound in the home currency, in thousandths: the shop's own price list, not
    /// the day's rate.
    pub(super) per_pound: i64,
    /// Prices are multiples of this many hundredths.
    pub(super) snap: i64,
    /// Its value in pounds, in 10^-9; the daily rate varies around it.
    pub(super) pounds: i64,
}

pub(super) const MONIES: [Money; 6] = [
    Money { code: "GBP", digits: 2, per_pound: 1_000, snap: 1, pounds: 1_000_000_000 },
    Money { code: "EUR", digits: 2, per_pound: 1_180, snap: 5, pounds: 862_400_000 },
    Money { code: "USD", digits: 2, per_pound: 1_270, snap: 5, pounds: 781_900_000 },
    Money { code: "SEK", digits: 2, per_pound: 13_400, snap: 100, pounds: 74_600_000 },
    Money { code: "JPY", digits: 0, per_pound: 190_000, snap: 1_000, pounds: 5_260_000 },
    Money { code: "INR", digits: 2, per_pound: 106_000, snap: 100, pounds: 9_350_000 },
];

/// A country that the shop ships to.
#[derive(Debug)]
pub(super) struct Country {
    pub(super) code: &'static str,
    /// Index in [`MONIES`].
    pub(super) money: usize,
    /// Sales tax in thousandths of the net price.
    pub(super) tax: i64,
    /// Shipping in pence in the home currency.
    pub(super) shipping: i64,
    /// Per hundred visitors.
    pub(super) weight: u64,
    pub(super) first: &'static [&'static str],
    pub(super) last: &'static [&'static str],
    pub(super) streets: &'static [&'static str],
    /// Name, region, and the postcode with `#` for a digit and `@` for a letter; the largest city
    /// first.
    pub(super) cities: &'static [(&'static str, &'static str, &'static str)],
}

const EN_FIRST: &[&str] =
    &["Amelia", "Oliver", "Isla", "George", "Freya", "Arthur", "Priya", "Harry", "Niamh", "Leo", "Zoë", "Jack"];
const EN_LAST: &[&str] =
    &["Smith", "Patel", "Jones", "O'Brien", "Taylor", "Okafor", "Evans", "Wilson", "Khan", "Thompson", "Murphy", "Lewis"];
const EN_STREETS: &[&str] =
    &["High Street", "Mill Lane", "Church Road", "Station Road", "Victoria Terrace", "Harbour View", "The Green"];

pub(super) const COUNTRIES: [Country; 11] = [
    Country {
        code: "GB",
        money: 0,
        tax: 200,
        shipping: 395,
        weight: 54,
        first: EN_FIRST,
        last: EN_LAST,
        streets: EN_STREETS,
        cities: &[
            ("London", "England", "N## #@@"),
            ("Manchester", "England", "M## #@@"),
            ("Birmingham", "England", "B## #@@"),
            ("Glasgow", "Scotland", "G## #@@"),
            ("Bristol", "England", "BS# #@@"),
            ("Edinburgh", "Scotland", "EH# #@@"),
            ("Leeds", "England", "LS# #@@"),
            ("Cardiff", "Wales", "CF# #@@"),
            ("Belfast", "Northern Ireland", "BT# #@@"),
            ("Whitstable", "England", "CT# #@@"),
        ],
    },
    Country {
        code: "IE",
        money: 1,
        tax: 230,
        shipping: 795,
        weight: 6,
        first: &["Saoirse", "Conor", "Niamh", "Seán", "Aoife", "Cillian", "Róisín", "Oisín"],
        last: &["Murphy", "Kelly", "Ó Súilleabháin", "Walsh", "Byrne", "Ní Bhriain", "Doyle"],
        streets: &["Main Street", "O'Connell Street", "Abbey Street", "Strand Road"],
        cities: &[
            ("Dublin", "Leinster", "D## @#@#"),
            ("Cork", "Munster", "T## @#@#"),
            ("Galway", "Connacht", "H## @#@#"),
            ("Dún Laoghaire", "Leinster", "A## @#@#"),
        ],
    },
    Country {
        code: "FR",
        money: 1,
        tax: 200,
        shipping: 995,
        weight: 7,
        first: &["Chloé", "Léa", "Hugo", "François", "Maël", "Zoé", "Inès", "Raphaël"],
        last: &["Martin", "Lefèvre", "Dubois", "Moreau", "Lemaître", "Béranger", "Petit"],
        streets: &["rue de la République", "avenue Victor-Hugo", "rue du Général-Leclerc", "allée des Tilleuls"],
        cities: &[
            ("Paris", "Île-de-France", "750##"),
            ("Lyon", "Auvergne-Rhône-Alpes", "6900#"),
            ("Marseille", "Provence-Alpes-Côte d'Azur", "1300#"),
            ("Nîmes", "Occitanie", "300##"),
            ("Besançon", "Bourgogne-Franche-Comté", "250##"),
            ("Saint-Étienne", "Auvergne-Rhône-Alpes", "420##"),
        ],
    },
    Country {
        code: "DE",
        money: 1,
        tax: 190,
        shipping: 995,
        weight: 8,
        first: &["Jürgen", "Anna", "Lukas", "Käthe", "Björn", "Sofie", "Jörg", "Mia"],
        last: &["Müller", "Schmidt", "Weiß", "Krüger", "Schäfer", "Vogel", "Groß"],
        streets: &["Hauptstraße", "Gartenstraße", "Bahnhofstraße", "Am Mühlbach", "Lindenallee"],
        cities: &[
            ("Berlin", "Berlin", "10###"),
            ("Hamburg", "Hamburg", "20###"),
            ("München", "Bayern", "80###"),
            ("Köln", "Nordrhein-Westfalen", "50###"),
            ("Düsseldorf", "Nordrhein-Westfalen", "40###"),
            ("Würzburg", "Bayern", "970##"),
        ],
    },
    Country {
        code: "NL",
        money: 1,
        tax: 210,
        shipping: 995,
        weight: 4,
        first: &["Daan", "Sanne", "Jeroen", "Lotte", "Noël", "Fleur"],
        last: &["de Vries", "van den Berg", "Bakker", "Visser", "Smit", "de Boer"],
        streets: &["Kerkstraat", "Dorpsstraat", "Prinsengracht", "Molenweg"],
        cities: &[
            ("Amsterdam", "Noord-Holland", "10## @@"),
            ("Rotterdam", "Zuid-Holland", "30## @@"),
            ("Utrecht", "Utrecht", "35## @@"),
            ("'s-Hertogenbosch", "Noord-Brabant", "52## @@"),
        ],
    },
    Country {
        code: "ES",
        money: 1,
        tax: 210,
        shipping: 1_195,
        weight: 3,
        first: &["José", "María", "Íñigo", "Lucía", "Álvaro", "Begoña"],
        last: &["García", "Núñez", "Fernández", "Ibáñez", "Muñoz", "Peña"],
        streets: &["Calle Mayor", "Avenida de la Constitución", "Calle del Olmo", "Paseo Marítimo"],
        cities: &[
            ("Madrid", "Comunidad de Madrid", "280##"),
            ("Barcelona", "Cataluña", "080##"),
            ("Málaga", "Andalucía", "290##"),
            ("A Coruña", "Galicia", "150##"),
            ("Logroño", "La Rioja", "260##"),
        ],
    },
    Country {
        code: "IT",
        money: 1,
        tax: 220,
        shipping: 1_195,
        weight: 3,
        first: &["Niccolò", "Giulia", "Lorenzo", "Chiara", "Matteo", "Sofia"],
        last: &["Rossi", "Esposito", "Bianchi", "D'Angelo", "Colombo", "Fabbri"],
        streets: &["Via Roma", "Corso Garibaldi", "Via San Niccolò", "Piazza della Libertà"],
        cities: &[
            ("Roma", "Lazio", "001##"),
            ("Milano", "Lombardia", "201##"),
            ("Torino", "Piemonte", "101##"),
            ("Forlì", "Emilia-Romagna", "471##"),
            ("Cefalù", "Sicilia", "900##"),
        ],
    },
    Country {
        code: "SE",
        money: 3,
        tax: 250,
        shipping: 1_095,
        weight: 4,
        first: &["Åsa", "Erik", "Märta", "Göran", "Ebba", "Nils"],
        last: &["Andersson", "Sjöberg", "Åkesson", "Lindström", "Öberg", "Nyström"],
        streets: &["Storgatan", "Kungsgatan", "Björkvägen", "Strandvägen"],
        cities: &[
            ("Stockholm", "Stockholms län", "11# ##"),
            ("Göteborg", "Västra Götaland", "41# ##"),
            ("Malmö", "Skåne", "21# ##"),
            ("Örebro", "Örebro län", "70# ##"),
        ],
    },
    Country {
        code: "US",
        money: 2,
        tax: 70,
        shipping: 1_695,
        weight: 7,
        first: &["Emma", "Liam", "Ava", "Noah", "Sofía", "Mason", "Chloe", "Ethan"],
        last: &["Johnson", "Garcia", "Nguyen", "Miller", "Davis", "Martinez", "Lee"],
        streets: &["Main St", "Oak Ave", "Elm St", "Washington Blvd", "Lakeview Dr"],
        cities: &[
            ("New York", "NY", "100##"),
            ("Los Angeles", "CA", "900##"),
            ("Chicago", "IL", "606##"),
            ("Cañon City", "CO", "81212"),
            ("Portland", "ME", "041##"),
        ],
    },
    Country {
        code: "JP",
        money: 4,
        tax: 100,
        shipping: 1_895,
        weight: 2,
        first: &["翔太", "陽菜", "健一", "美咲", "大輔"],
        last: &["佐藤", "鈴木", "高橋", "田中", "渡辺"],
        streets: &["本町", "中央", "緑ヶ丘", "桜台"],
        cities: &[
            ("東京", "東京都", "10#-####"),
            ("大阪", "大阪府", "53#-####"),
            ("京都", "京都府", "60#-####"),
            ("札幌", "北海道", "06#-####"),
        ],
    },
    Country {
        code: "IN",
        money: 5,
        tax: 180,
        shipping: 1_895,
        weight: 2,
        first: &["Aarav", "Ananya", "Rohan", "Diya", "Kavya", "Vikram"],
        last: &["Sharma", "Iyer", "Reddy", "Chatterjee", "Singh", "Nair"],
        streets: &["MG Road", "Park Street", "Linking Road", "Gandhi Nagar"],
        cities: &[
            ("Mumbai", "Maharashtra", "4000##"),
            ("Bengaluru", "Karnataka", "5600##"),
            ("Delhi", "Delhi", "1100##"),
            ("Kolkata", "West Bengal", "7000##"),
        ],
    },
];

/// A shelf of the catalogue.
#[derive(Debug)]
pub(super) struct Shelf {
    /// The category's path.
    pub(super) path: &'static [&'static str],
    pub(super) slug: &'static str,
    pub(super) nouns: &'static [&'static str],
    /// Lowest and highest price, in pounds.
    pub(super) pounds: (i64, i64),
    /// Sold by the metre, in halves.
    pub(super) by_metre: bool,
}

const fn shelf(path: &'static [&'static str], slug: &'static str, nouns: &'static [&'static str], pounds: (i64, i64)) -> Shelf {
    Shelf { path, slug, nouns, pounds, by_metre: false }
}

pub(super) const SHELVES: [Shelf; 30] = [
    shelf(&["Garden", "Pots"], "garden/pots", &["Planter", "Pot 12\\\"", "Window Box", "Jardinière"], (6, 60)),
    shelf(&["Garden", "Tools", "Hand Tools"], "garden/hand-tools", &["Trowel", "Dibber", "Secateurs", "Hand Fork"], (8, 45)),
    shelf(&["Garden", "Watering"], "garden/watering", &["Watering Can", "Mister", "Rain Gauge"], (7, 55)),
    shelf(&["Garden", "Wildlife", "Birds"], "garden/birds", &["Bird Feeder", "Nest Box", "Bird Bath"], (9, 70)),
    shelf(&["Kitchen", "Bakeware"], "kitchen/bakeware", &["Cake Tin", "Rolling Pin", "Pie Dish", "Loaf Tin"], (6, 38)),
    shelf(&["Kitchen", "Tableware", "Mugs"], "kitchen/mugs", &["Mug", "Espresso Cup", "Enamel Mug"], (5, 22)),
    shelf(&["Kitchen", "Tableware", "Plates"], "kitchen/plates", &["Dinner Plate", "Cakestand", "Serving Bowl"], (9, 65)),
    shelf(&["Kitchen", "Storage"], "kitchen/storage", &["Bread Bin", "Storage Jar", "Butter Dish"], (6, 42)),
    shelf(&["Lighting", "Table Lamps"], "lighting/table-lamps", &["Table Lamp", "Reading Lamp"], (28, 180)),
    shelf(&["Lighting", "Lanterns"], "lighting/lanterns", &["Lantern", "Storm Lamp", "String Lights"], (12, 75)),
    shelf(&["Lighting", "Pendants"], "lighting/pendants", &["Pendant", "Lampshade"], (22, 160)),
    shelf(&["Textiles", "Cushions"], "textiles/cushions", &["Cushion", "Bolster", "Cushion Cover 18\\\""], (12, 60)),
    shelf(&["Textiles", "Throws"], "textiles/throws", &["Throw", "Blanket", "Bedspread"], (25, 140)),
    Shelf {
        path: &["Textiles", "Fabric", "By the Metre"],
        slug: "textiles/fabric",
        nouns: &["Linen", "Ticking", "Oilcloth"],
        pounds: (9, 48),
        by_metre: true,
    },
    shelf(&["Bathroom", "Towels"], "bathroom/towels", &["Bath Towel", "Hand Towel", "Bath Mat"], (8, 45)),
    shelf(&["Bathroom", "Soap"], "bathroom/soap", &["Soap Bar", "Soap Dish", "Hand Wash"], (4, 24)),
    shelf(&["Furniture", "Stools"], "furniture/stools", &["Stool", "Footstool"], (45, 220)),
    shelf(&["Furniture", "Shelving"], "furniture/shelving", &["Shelf", "Bookcase", "Peg Rail"], (30, 420)),
    shelf(&["Furniture", "Tables"], "furniture/tables", &["Side Table", "Folding Table"], (70, 640)),
    shelf(&["Toys", "Wooden"], "toys/wooden", &["Pull-along Duck", "Building Blocks", "Spinning Top"], (8, 48)),
    shelf(&["Toys", "Puzzles"], "toys/puzzles", &["Jigsaw", "Memory Game", "Dominoes"], (7, 32)),
    shelf(&["Toys", "Soft Toys"], "toys/soft", &["Rabbit", "Bear", "Otter"], (10, 44)),
    shelf(&["Stationery", "Notebooks"], "stationery/notebooks", &["Notebook", "Sketchbook", "Diary"], (5, 28)),
    shelf(&["Stationery", "Cards"], "stationery/cards", &["Birthday Card", "Postcard Set", "Gift Tags"], (2, 14)),
    shelf(&["Stationery", "Desk"], "stationery/desk", &["Pen Pot", "Letter Rack", "Desk Tidy"], (7, 52)),
    shelf(&["Candles", "Scented"], "candles/scented", &["Scented Candle", "Tealights", "Diffuser"], (6, 48)),
    shelf(&["Candles", "Holders"], "candles/holders", &["Candlestick", "T-Light Holder"], (4, 46)),
    shelf(&["Bags", "Totes"], "bags/totes", &["Tote", "Jumbo Bag", "Shopper"], (4, 36)),
    shelf(&["Bags", "Travel"], "bags/travel", &["Holdall", "Wash Bag", "Lunch Bag"], (8, 120)),
    shelf(
        &["Seasonal", "Christmas", "Decorations"],
        "seasonal/christmas",
        &["Bauble", "Wreath", "Garland", "Advent Calendar"],
        (3, 58),
    ),
];

pub(super) const STYLES: [&str; 14] = [
    "Glazed",
    "Regency",
    "Vintage",
    "Striped",
    "Hand-thrown",
    "Scandi",
    "Heart of Oak",
    "Little",
    "Classic",
    "Rustic",
    "Folk",
    "Spotted",
    "Coastal",
    "Émile",
];
pub(super) const MATERIALS: [&str; 14] = [
    "Terracotta",
    "Stoneware",
    "Enamel",
    "Oak",
    "Ash",
    "Linen",
    "Wool",
    "Cotton",
    "Brass",
    "Zinc",
    "Glass",
    "Rattan",
    "Cork",
    "Slate",
];
pub(super) const BRANDS: [&str; 12] = [
    "Harbour & Pine",
    "Fernhill",
    "Mølle",
    "Ashdown",
    "Tidewater",
    "Kestrel & Co",
    "Belle Époque",
    "Northfold",
    "Osei Studio",
    "Lindqvist",
    "Parlour",
    "Garnet Row",
];

/// The origins of visitors: referrer, utm source, medium, campaign, by weight.
pub(super) const ARRIVALS: [(u64, [&str; 4]); 8] = [
    (30, ["", "", "", ""]),
    (26, ["https://www.google.com/", "", "", ""]),
    (14, ["https://www.google.com/", "google", "cpc", "brand"]),
    (9, ["https://www.instagram.com/", "instagram", "social", "new-in"]),
    (8, ["", "newsletter", "email", "weekly"]),
    (5, ["https://www.facebook.com/", "facebook", "social", "retargeting"]),
    (4, ["https://www.pinterest.com/", "pinterest", "social", "home-ideas"]),
    (4, ["https://www.bing.com/", "bing", "cpc", "generic"]),
];

/// Device and channel, by weight.
pub(super) const DEVICES: [(u64, (&str, &str)); 4] =
    [(52, ("mobile", "web")), (30, ("desktop", "web")), (5, ("tablet", "web")), (13, ("mobile", "app"))];

pub(super) const SEARCHES: [&str; 20] = [
    "terracotta pot",
    "cakestand",
    "jardinière",
    "gift for mum",
    "linen by the metre",
    "bird feeder",
    "oak stool",
    "vintage lamp",
    "candles",
    "Gießkanne",
    "advent calendar",
    "blue throw",
    "mug",
    "notebook a5",
    "t-light holder",
    "jumbo bag red",
    "peg rail",
    "enamel mug",
    "rabbit toy",
    "kerzenständer",
];

pub(super) const PAGES: [&str; 6] = ["delivery", "returns", "about", "stores", "gift-wrapping", "size-guide"];
