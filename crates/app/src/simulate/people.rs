//! Synthetic people with valid checksums.

use super::dice::Dice;
use anyhow::{Context as _, Result};
use domain::person::{check_character, luhn_sum};
use domain::{BankCard, Cellphone, IdCard, Person, PersonName};

const SURNAMES: [&str; 10] = ["王", "李", "张", "刘", "陈", "杨", "黄", "赵", "周", "欧阳"];
const GIVEN: [&str; 10] = ["伟", "芳", "娜", "秀英", "敏", "静", "丽", "强", "磊", "军"];

/// The person of one order: mostly somebody new, sometimes one who was paid before.
pub(super) fn person(dice: &mut Dice, place: usize) -> Result<Person> {
    let again = place > 0 && dice.strikes(300);
    let number = if again { dice.below(place) } else { place };
    let unknown = dice.strikes(30);
    let name = if unknown {
        "查无此人".to_owned()
    } else {
        format!("{}{}", SURNAMES[number % 10], GIVEN[number / 10 % 10])
    };
    let (year, month, day) = (1960 + number / 1000 % 40, 1 + number / 40_000 % 12, 1 + number % 28);
    let body = format!("110101{year:04}{month:02}{day:02}{:03}", number % 1000);
    let id_card = format!("{body}{}", char::from(check_character(body.as_bytes())));
    let body = format!("6222{:014}", number);
    let sum = luhn_sum(format!("{body}0").as_bytes());
    let card = format!("{body}{}", (10 - sum % 10) % 10);
    Ok(Person {
        name: PersonName::parse(&name).ok().context("a name")?,
        id_card: IdCard::parse(&id_card).ok().context("an id number")?,
        cellphone: Cellphone::parse(&format!("138{:08}", number)).ok().context("a number")?,
        bankcard: BankCard::parse(&card).ok().context("a card")?,
    })
}
