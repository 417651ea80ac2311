//! Money is a whole number of fen (分). Its text has exactly two decimals of yuan (元), as every provider prints it.

use crate::Invalid;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// An amount in fen. Zero or more: no payout of levee is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i64);

/// Nothing a platform pays one person reaches this (100 billion yuan); beyond it an amount is a mistake.
const MAX_FEN: i64 = 10_000_000_000_000;

impl Money {
    pub const ZERO: Money = Money(0);

    /// From fen; refused when negative or absurdly large.
    pub fn from_fen(fen: i64) -> Result<Self, Invalid> {
        if (0..=MAX_FEN).contains(&fen) {
            return Ok(Self(fen));
        }
        Err(Invalid::new("amount_range", "amount must be between 0.00 and 100000000000.00", "金额超出范围"))
    }

    pub const fn fen(self) -> i64 {
        self.0
    }

    /// Strictly `digits.dd`: no sign, no separator, no missing decimal, no leading zero before another digit.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let bad = || {
            Invalid::new(
                "amount_format",
                "write the amount as yuan with two decimals, for example 12.34",
                "金额应为元，保留两位小数，例如 12.34",
            )
        };
        let (yuan, cents) = text.split_once('.').ok_or_else(bad)?;
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let padded = yuan.len() > 1 && yuan.starts_with('0');
        if !digits(yuan) || !digits(cents) || cents.len() != 2 || yuan.len() > 12 || padded {
            return Err(bad());
        }
        let fen = format!("{yuan}{cents}").parse::<i64>().map_err(|_| bad())?;
        Self::from_fen(fen)
    }

    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(|fen| Self::from_fen(fen).ok())
    }

    /// The sum, or `None` when it leaves the range: never a wrapped amount.
    pub fn sum(amounts: impl IntoIterator<Item = Money>) -> Option<Money> {
        amounts.into_iter().try_fold(Money::ZERO, Money::checked_add)
    }

    /// How far two amounts lie apart, in fen.
    pub const fn distance(self, other: Self) -> i64 {
        (self.0 - other.0).abs()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Money::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_strict_form_is_money() {
        assert_eq!(Money::parse("12.34").unwrap().fen(), 1234);
        assert_eq!(Money::parse("0.01").unwrap().fen(), 1);
        for bad in [
            "",
            "12",
            "12.3",
            "12.345",
            "-1.00",
            "+1.00",
            "1,000.00",
            " 1.00",
            "1.00 ",
            "01.00",
            ".50",
            "1e3",
            "１２.34",
            "99999999999999.00",
        ] {
            assert!(Money::parse(bad).is_err(), "{bad:?} was taken for money");
        }
    }

    #[test]
    fn a_sum_that_leaves_the_range_is_no_sum() {
        let most = Money::from_fen(MAX_FEN).unwrap();
        assert_eq!(Money::sum([most, Money::from_fen(1).unwrap()]), None);
    }

    proptest! {
        #[test]
        fn text_and_back(fen in 0..=MAX_FEN) {
            let money = Money::from_fen(fen).unwrap();
            prop_assert_eq!(Money::parse(&money.to_string()).unwrap(), money);
        }
    }
}
