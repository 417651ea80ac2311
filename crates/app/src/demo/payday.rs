//! A payday file (发薪文件) of synthetic people: valid checksums, no real person, and mistakes on purpose.

use std::fmt::Write as _;

/// The file that ships with levee: [`generate`]d for 200 people (a test keeps it so).
pub(super) const SHIPPED: &str = include_str!("../../demo/payday.csv");

const HEADER: &str = "business_key,name,id_card,cellphone,bankcard_no,net,gross,tax_mode,tax_agent_parent_id,tax_agent_location_id,credit_code,customer_id,task_id,remark";
const SURNAMES: [&str; 20] = [
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "周", "吴", "徐", "孙", "马", "朱", "胡", "郭", "何", "林", "罗",
    "欧阳",
];
const GIVEN: [&str; 20] = [
    "伟", "芳", "娜", "秀英", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超", "霞",
    "平",
];
const REGIONS: [&str; 8] = ["110101", "310104", "440305", "330106", "510107", "420111", "320102", "610113"];

/// One row, before it is written.
#[derive(Clone)]
struct Row {
    key: String,
    name: String,
    id_card: String,
    cellphone: String,
    card: String,
    net: String,
    gross: String,
    mode: &'static str,
    place: &'static str,
    task: &'static str,
    remark: String,
}

/// `count` rows: most are good, one in 25 is wrong in its own way, one in 40 repeats another.
pub(super) fn generate(count: usize) -> String {
    let mut dice = Dice(0x1E7E_E000_0000_0001);
    let mut rows: Vec<Row> = Vec::new();
    for place in 0..count {
        let row = if place % 40 == 39 { repeated(&rows, place) } else { person(place, &mut dice) };
        rows.push(if place % 25 == 24 { spoilt(row, place / 25) } else { row });
    }
    written(&rows)
}

/// `count` good rows from `first` on, each one order with one remit.
pub(crate) fn plain(first: usize, count: usize) -> String {
    let mut dice = Dice(u64::try_from(first).unwrap_or(0));
    let unsplit = |place| (place % 15 != 7).then(|| person(place, &mut dice));
    let rows: Vec<Row> = (first..).filter_map(unsplit).take(count).collect();
    written(&rows)
}

fn written(rows: &[Row]) -> String {
    let mut text = String::from(HEADER);
    text.push('\n');
    for row in rows {
        let Row { key, name, id_card, cellphone, card, net, gross, mode, place, task, remark } = row;
        let _ = writeln!(
            text,
            "{key},{name},{id_card},{cellphone},{card},{net},{gross},{mode},1001,{place},91110000MA00000000,,{task},{remark}"
        );
    }
    text
}

fn person(place: usize, dice: &mut Dice) -> Row {
    let name = format!("{}{}", SURNAMES[dice.below(20)], GIVEN[dice.below(20)]);
    let body = format!(
        "{}{:04}{:02}{:02}{:03}",
        REGIONS[dice.below(8)],
        1965 + dice.below(38),
        1 + dice.below(12),
        1 + dice.below(28),
        place % 1000
    );
    let id_card = format!("{body}{}", char::from(domain::person::check_character(body.as_bytes())));
    let cellphone = format!("1{}{:09}", 3 + dice.below(7), dice.below(1_000_000_000));
    // One person in 15 earns enough to be split over two places.
    let fen = if place % 15 == 7 { 1_000_000 + dice.below(900_000) } else { 5_000 + dice.below(970_000) };
    let amount = format!("{}.{:02}", fen / 100, fen % 100);
    let (net, gross) = if place % 9 == 4 { (String::new(), amount) } else { (amount, String::new()) };
    let (mode, task) = if place % 6 == 5 { ("SPECIAL", "2") } else { ("GENERAL", "1") };
    let place_id = if place % 4 == 3 { "2001" } else { "" };
    Row {
        key: format!("PAY-2026-01-{place:05}"),
        name,
        id_card,
        cellphone,
        card: card(dice),
        net,
        gross,
        mode,
        place: place_id,
        task,
        remark: "一月劳务报酬".into(),
    }
}

fn card(dice: &mut Dice) -> String {
    let body = format!("6222{:05}{:09}", dice.below(100_000), dice.below(1_000_000_000));
    let sum = domain::person::luhn_sum(format!("{body}0").as_bytes());
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// The same person, amount and task under a new key (a suspected duplicate), or the very same row again.
fn repeated(rows: &[Row], place: usize) -> Row {
    let mut row = rows[place - 9].clone();
    if place % 80 == 39 {
        row.key = format!("PAY-2026-01-{place:05}");
    }
    row
}

/// One mistake of its own per spoilt row.
fn spoilt(mut row: Row, kind: usize) -> Row {
    match kind % 10 {
        0 => row.id_card.replace_range(17..18, if row.id_card.ends_with('1') { "2" } else { "1" }),
        1 => row.card.replace_range(18..19, if row.card.ends_with('1') { "2" } else { "1" }),
        2 => row.net = "128.5".into(),
        3 => row.gross = "100.00".into(),
        4 => row.name = String::new(),
        5 => row.mode = "普票",
        6 => row.name = "阿卜杜热合曼·买买提艾力·库尔班".into(),
        // The provider finds these: a task that does not fit the tax mode, and a person it does not know.
        7 => row.task = if row.mode == "GENERAL" { "2" } else { "1" },
        8 => row.name = "查无此人".into(),
        _ => row.cellphone = "12345".into(),
    }
    if kind % 10 == 2 {
        row.gross = String::new();
    }
    if kind % 10 == 3 && row.net.is_empty() {
        row.net = "100.00".into();
    }
    row
}

/// SplitMix64: the same people every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/payday.csv");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, generate(200)).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), generate(200));
    }

    #[test]
    fn good_rows_have_valid_checksums() {
        let file = generate(200);
        let good = file.lines().skip(1).filter(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            domain::IdCard::parse(cells[2]).is_ok()
                && domain::BankCard::parse(cells[4]).is_ok()
                && domain::Cellphone::parse(cells[3]).is_ok()
        });
        assert!(good.count() >= 190);
    }
}
