//! Synthetic people with valid checksums (GB 11643, Luhn). None of them exists.

use serde_json::{Value, json};

/// Every character of it is in GB 2312, so that a file may be written in GB18030 without a table of that.
const SURNAMES: [&str; 8] = ["王", "李", "张", "刘", "陈", "杨", "赵", "周"];
const GIVEN: [&str; 12] = ["伟", "芳", "敏", "静", "强", "磊", "洋", "勇", "杰", "娟", "涛", "平"];
const GB18030: [(char, [u8; 2]); 20] = [
    ('王', [0xcd, 0xf5]),
    ('李', [0xc0, 0xee]),
    ('张', [0xd5, 0xc5]),
    ('刘', [0xc1, 0xf5]),
    ('陈', [0xb3, 0xc2]),
    ('杨', [0xd1, 0xee]),
    ('赵', [0xd5, 0xd4]),
    ('周', [0xd6, 0xdc]),
    ('伟', [0xce, 0xb0]),
    ('芳', [0xb7, 0xbc]),
    ('敏', [0xc3, 0xf4]),
    ('静', [0xbe, 0xb2]),
    ('强', [0xc7, 0xbf]),
    ('磊', [0xc0, 0xda]),
    ('洋', [0xd1, 0xf3]),
    ('勇', [0xd3, 0xc2]),
    ('杰', [0xbd, 0xdc]),
    ('娟', [0xbe, 0xea]),
    ('涛', [0xcc, 0xce]),
    ('平', [0xc6, 0xbd]),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    pub id_card: String,
    pub cellphone: String,
    pub bankcard_no: String,
}

/// People, none of them twice, the same ones for the same seed.
#[derive(Debug)]
pub struct Payday {
    dice: u64,
    met: u64,
}

impl Payday {
    pub fn new(seed: u64) -> Self {
        Self { dice: seed, met: 0 }
    }

    pub fn person(&mut self) -> Person {
        let (n, surname, given) = (self.met, self.below(SURNAMES.len()), self.below(GIVEN.len()));
        self.met += 1;
        let birth = format!("{:04}{:02}{:02}", 1965 + n / 1000 % 38, 1 + n / 38_000 % 12, 1 + n % 28);
        let id = format!("110101{birth}{:03}", n % 1000);
        let card = format!("622208{:012}", self.draw() % 1_000_000_000_000);
        let cellphone = format!("13{:09}", self.draw() % 1_000_000_000);
        Person {
            name: format!("{}{}", SURNAMES[surname], GIVEN[given]),
            id_card: format!("{id}{}", check_character(&id)),
            cellphone,
            bankcard_no: format!("{card}{}", check_digit(&card)),
        }
    }

    /// An order for somebody new; one in twelve is large enough to be split, one in nine asks for the gross.
    pub fn order(&mut self, business_key: &str) -> Value {
        let person = self.person();
        let mut order = order(business_key, &person);
        let fen = if self.met % 12 == 7 { 1_000_000 + self.below(900_000) } else { 5_000 + self.below(900_000) };
        let amount = format!("{}.{:02}", fen / 100, fen % 100);
        let asked = if self.met % 9 == 4 { "gross" } else { "net" };
        order.as_object_mut().expect("an order is an object").remove("net");
        order[asked] = json!(amount);
        order
    }

    pub fn orders(&mut self, prefix: &str, count: usize) -> Vec<Value> {
        (0..count).map(|n| self.order(&format!("{prefix}-{n:05}"))).collect()
    }

    /// SplitMix64.
    pub fn draw(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() % bound as u64).expect("below a usize")
    }
}

/// 128.50 yuan to that person.
pub fn order(business_key: &str, person: &Person) -> Value {
    let Person { name, id_card, cellphone, bankcard_no } = person;
    json!({
        "business_key": business_key,
        "person": {"name": name, "id_card": id_card, "cellphone": cellphone, "bankcard_no": bankcard_no},
        "net": "128.50",
        "tax_mode": "GENERAL",
        "tax_agent_parent_id": "1001",
        "credit_code": "91110000MA00000000",
        "task_id": "1",
        "remark": "一月劳务报酬",
    })
}

/// The columns of a payday file.
pub const COLUMNS: &str =
    "business_key,name,id_card,cellphone,bankcard_no,net,tax_mode,tax_agent_parent_id,credit_code,task_id";

/// One row of it.
pub fn row(business_key: &str, person: &Person, net: &str) -> String {
    let Person { name, id_card, cellphone, bankcard_no } = person;
    format!("{business_key},{name},{id_card},{cellphone},{bankcard_no},{net},GENERAL,1001,91110000MA00000000,1")
}

/// A text of ASCII and our people's names, in GB18030.
pub fn gb18030(text: &str) -> Vec<u8> {
    let known = |wanted: char| GB18030.iter().find(|(c, _)| *c == wanted).map(|(_, bytes)| bytes.to_vec());
    let encode = |c: char| if c.is_ascii() { vec![c as u8] } else { known(c).expect("one of our characters") };
    text.chars().flat_map(encode).collect()
}

/// ISO 7064 MOD 11-2 (GB 11643-1999).
fn check_character(digits: &str) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    char::from(b"10X98765432"[(sum % 11) as usize])
}

/// Luhn.
fn check_digit(digits: &str) -> u32 {
    let weigh = |(place, digit): (usize, u8)| {
        let value = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
        if value > 9 { value - 9 } else { value }
    };
    let sum: u32 = digits.bytes().rev().enumerate().map(weigh).sum();
    (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standards() {
        // The sample of GB 11643-1999, and the usual test card.
        assert_eq!(check_character("11010519491231002"), 'X');
        assert_eq!(check_digit("411111111111111"), 1);
    }

    #[test]
    fn nobody_comes_twice() {
        let mut payday = Payday::new(1);
        let people: std::collections::BTreeSet<String> = (0..5000).map(|_| payday.person().id_card).collect();
        assert_eq!(people.len(), 5000);
    }
}
