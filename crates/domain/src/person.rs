//! People. Each value is checked when it is made, prints masked, and shows itself only through `expose` (security.md §2).

use crate::Invalid;
use chrono::NaiveDate;
use std::fmt;
use zeroize::Zeroizing;

/// 居民身份证号: 18 characters with the GB 11643 checksum.
#[derive(Clone, PartialEq, Eq)]
pub struct IdCard(Zeroizing<String>);

/// 银行卡号: 12 to 19 digits with the Luhn checksum.
#[derive(Clone, PartialEq, Eq)]
pub struct BankCard(Zeroizing<String>);

/// 手机号: a mainland mobile number of 11 digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Cellphone(Zeroizing<String>);

/// 姓名: every kind of middle dot is normalised to `·`; length counts characters (P11).
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(Zeroizing<String>);

/// Who is paid, and on which card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: PersonName,
    pub id_card: IdCard,
    pub cellphone: Cellphone,
    pub bankcard: BankCard,
}

impl IdCard {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let bytes = text.as_bytes();
        let shape = bytes.len() == 18 && bytes[..17].iter().all(u8::is_ascii_digit);
        if shape && bytes[17] == b'x' {
            return Err(Invalid::new(
                "id_card_lower_x",
                "write the last character of the ID number as a capital X",
                "身份证号末位请使用大写 X",
            ));
        }
        if !shape || !(bytes[17].is_ascii_digit() || bytes[17] == b'X') {
            return Err(Invalid::new(
                "id_card_format",
                "the ID number has 17 digits and a digit or X",
                "身份证号应为 17 位数字加 1 位数字或 X",
            ));
        }
        if birth(&text[6..14]).is_none() {
            return Err(Invalid::new(
                "id_card_birth_date",
                "the ID number contains no valid date of birth",
                "身份证号中的出生日期无效",
            ));
        }
        if check_character(&bytes[..17]) != bytes[17] {
            return Err(Invalid::new(
                "id_card_checksum",
                "the checksum of the ID number is wrong: compare it with the card",
                "身份证号校验位错误，请核对证件",
            ));
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// ISO 7064 MOD 11-2 over 17 digits (GB 11643-1999).
pub fn check_character(digits: &[u8]) -> u8 {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(d, w)| u32::from(d - b'0') * w).sum();
    b"10X98765432"[(sum % 11) as usize]
}

fn birth(text: &str) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text, "%Y%m%d").ok()?;
    (date >= NaiveDate::from_ymd_opt(1900, 1, 1)?).then_some(date)
}

impl BankCard {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if !(12..=19).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Invalid::new(
                "bankcard_format",
                "the bank card number has 12 to 19 digits and nothing else",
                "银行卡号应为 12 至 19 位数字",
            ));
        }
        if !luhn_sum(text.as_bytes()).is_multiple_of(10) {
            return Err(Invalid::new(
                "bankcard_checksum",
                "the checksum of the bank card number is wrong: compare it with the card",
                "银行卡号校验错误，请核对卡号",
            ));
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The Luhn sum of digits; a card number is well formed when it is a multiple of ten.
pub fn luhn_sum(digits: &[u8]) -> u32 {
    let weigh = |(place, digit): (usize, &u8)| {
        let value = u32::from(digit - b'0');
        let doubled = if place % 2 == 1 { value * 2 } else { value };
        if doubled > 9 { doubled - 9 } else { doubled }
    };
    digits.iter().rev().enumerate().map(weigh).sum()
}

impl Cellphone {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let bytes = text.as_bytes();
        let digits = bytes.len() == 11 && bytes.iter().all(u8::is_ascii_digit);
        if !digits || bytes[0] != b'1' || bytes[1] < b'3' {
            return Err(Invalid::new(
                "cellphone_format",
                "the mobile number has 11 digits and begins with 13 to 19",
                "手机号应为 11 位数字，以 13 至 19 开头",
            ));
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PersonName {
    /// Longest name that is stored. Providers take fewer characters; a longer one goes to a person, never shortened (P11).
    pub const MAX_CHARS: usize = 50;

    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let name: String = text.trim().chars().map(|c| if "·•．・‧∙".contains(c) { '·' } else { c }).collect();
        if name.is_empty() {
            return Err(Invalid::new("name_empty", "the name is missing", "姓名不能为空"));
        }
        if name.chars().count() > Self::MAX_CHARS {
            return Err(Invalid::new(
                "name_too_long",
                "the name has more than 50 characters",
                "姓名超长（超过 50 个字符）",
            ));
        }
        if !name.chars().all(|c| c == '·' || c == ' ' || is_han(c) || (c.is_alphabetic() && c < '\u{0250}')) {
            return Err(Invalid::new(
                "name_characters",
                "the name may contain Chinese characters, Latin letters, spaces and ·",
                "姓名只能包含汉字、拉丁字母、空格和 ·",
            ));
        }
        Ok(Self(Zeroizing::new(name)))
    }

    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}' | '〇')
}

/// The first `head` and the last `tail` characters, stars between.
fn mask(text: &str, head: usize, tail: usize) -> String {
    let count = text.chars().count();
    let hidden = |place: usize| place >= head && place + tail < count;
    text.chars().enumerate().map(|(place, c)| if hidden(place) { '*' } else { c }).collect()
}

impl IdCard {
    pub fn masked(&self) -> String {
        mask(&self.0, 3, 4)
    }
}

impl BankCard {
    pub fn masked(&self) -> String {
        mask(&self.0, 4, 4)
    }
}

impl Cellphone {
    pub fn masked(&self) -> String {
        mask(&self.0, 3, 4)
    }
}

impl PersonName {
    pub fn masked(&self) -> String {
        mask(&self.0, 1, 0)
    }
}

impl fmt::Debug for IdCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for BankCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for Cellphone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_card_is_checked_whole() {
        let good = "11010119900307001X";
        let digit = check_character(&good.as_bytes()[..17]) as char;
        let good = format!("{}{digit}", &good[..17]);
        assert!(IdCard::parse(&good).is_ok());
        let wrong = if digit == '1' { '2' } else { '1' };
        assert_eq!(IdCard::parse(&format!("{}{wrong}", &good[..17])).unwrap_err().code, "id_card_checksum");
        assert_eq!(IdCard::parse("110101199013070011").unwrap_err().code, "id_card_birth_date");
        assert_eq!(IdCard::parse("11010119900307001x").unwrap_err().code, "id_card_lower_x");
        for bad in [
            "",
            "1101011990030700",
            "１１０１０１１９９００３０７００１１",
            "11010119900307001\0",
            "a10101199003070011",
        ] {
            assert_eq!(IdCard::parse(bad).unwrap_err().code, "id_card_format");
        }
    }

    #[test]
    fn a_bank_card_has_a_luhn_checksum() {
        assert!(BankCard::parse("4111111111111111").is_ok());
        assert_eq!(BankCard::parse("4111111111111112").unwrap_err().code, "bankcard_checksum");
        assert_eq!(BankCard::parse("4111 1111 1111 1111").unwrap_err().code, "bankcard_format");
    }

    #[test]
    fn p11_names_are_normalised_and_counted_in_characters() {
        let name = PersonName::parse("阿依古丽•买买提").unwrap();
        assert_eq!(name.expose(), "阿依古丽·买买提");
        assert_eq!(name.chars(), 8);
        for bad in ["", "  ", "张\0三", "张三😀", "\u{202e}张三", "张3"] {
            assert!(PersonName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_prints_a_person() {
        let person = Person {
            name: PersonName::parse("欧阳修").unwrap(),
            id_card: IdCard::parse("110101199003070011")
                .or_else(|_| IdCard::parse("110101199003070030"))
                .unwrap_or_else(|_| {
                    let body = "11010119900307001";
                    IdCard::parse(&format!("{body}{}", check_character(body.as_bytes()) as char)).unwrap()
                }),
            cellphone: Cellphone::parse("13800001234").unwrap(),
            bankcard: BankCard::parse("4111111111111111").unwrap(),
        };
        let printed = format!("{person:?}");
        for secret in
            [person.name.expose(), person.id_card.expose(), person.cellphone.expose(), person.bankcard.expose()]
        {
            assert!(!printed.contains(secret), "{printed}");
        }
        assert!(printed.contains("138****1234") && printed.contains("4111********1111") && printed.contains("欧**"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let _ = (IdCard::parse(&text), BankCard::parse(&text), Cellphone::parse(&text), PersonName::parse(&text), crate::Money::parse(&text));
        }
    }
}
