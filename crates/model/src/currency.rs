//! ISO 4217.

use std::fmt;

/// A currency, as its index in the list of codes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(u8);

/// The active codes of ISO 4217 (list one, without funds and precious metals' test codes).
const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// For every three capital letters: the index of the code in the list, from 1; 0 if it is not a
/// code.
static PLACES: [u8; 26 * 26 * 26] = places();

const fn places() -> [u8; 26 * 26 * 26] {
    let (list, mut places, mut place) = (CODES.as_bytes(), [0; 26 * 26 * 26], 0);
    // Each code takes four bytes.
    while place * 4 < list.len() {
        if let Some(number) = number([list[place * 4], list[place * 4 + 1], list[place * 4 + 2]]) {
            assert!(place < u8::MAX as usize, "each index fits in a byte");
            places[number] = place as u8 + 1;
        }
        place += 1;
    }
    places
}

/// Three capital letters as a number.
const fn number(letters: [u8; 3]) -> Option<usize> {
    let [a, b, c] = letters;
    if !a.is_ascii_uppercase() || !b.is_ascii_uppercase() || !c.is_ascii_uppercase() {
        return None;
    }
    Some(((a - b'A') as usize * 26 + (b - b'A') as usize) * 26 + (c - b'A') as usize)
}

impl Currency {
    /// `None` if the text is not an active ISO 4217 code in capitals.
    pub fn parse(code: &str) -> Option<Self> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        PLACES[number(letters)?].checked_sub(1).map(Self)
    }

    pub fn code(&self) -> &'static str {
        let start = usize::from(self.0) * 4;
        &CODES[start..start + 3]
    }

    /// Its place in the list of codes. A later version may change the list, so use it only in
    /// memory and in checkpoints, whose format then needs a new number.
    pub fn place(self) -> u8 {
        self.0
    }

    /// The currency at a place.
    pub fn at(place: u8) -> Option<Self> {
        (usize::from(place) * 4 < CODES.len()).then_some(Self(place))
    }

    /// The usual number of fractional digits: 2, except 0 for the yen and 3 for the dinar.
    pub fn minor_digits(self) -> u32 {
        match self.code() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV" | "XAF"
            | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_codes_are_currencies() {
        for code in CODES.split(' ') {
            let currency = Currency::parse(code);
            assert_eq!(currency.map(|currency| currency.to_string()), Some(code.to_owned()));
            assert_eq!(currency.and_then(|currency| Currency::at(currency.place())), currency);
        }
        for text in ["", "gbp", "GB", "GBPX", "XXX", "ZZZ", "AAA", "£"] {
            assert_eq!(Currency::parse(text), None, "{text}");
        }
        assert_eq!(Currency::at(u8::MAX), None);
    }
}
