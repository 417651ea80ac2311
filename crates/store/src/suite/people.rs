use super::*;
use crate::testing;
use domain::person::check_character;
use domain::{BankCard, Cellphone, IdCard, Person, PersonName};

const NAME: &str = "欧阳金丝雀";

pub(super) fn person(card: &str) -> Person {
    let digits = "11010119900307001";
    Person {
        name: PersonName::parse(NAME).unwrap(),
        id_card: IdCard::parse(&format!("{digits}{}", check_character(digits.as_bytes()) as char)).unwrap(),
        cellphone: Cellphone::parse("13800001234").unwrap(),
        bankcard: BankCard::parse(card).unwrap(),
    }
}

#[tokio::test]
async fn people_are_kept_once_and_found_by_every_mark() {
    for fresh in testing::stores().await {
        let (store, first) = (&fresh.store, person("4111111111111111"));
        let id = store.put_person("acme", &first).await.unwrap();
        assert_eq!(store.put_person("acme", &first).await.unwrap(), id);
        let moved = store.put_person("acme", &person("5500000000000004")).await.unwrap();
        assert_ne!(moved, id, "another card is another snapshot");
        assert_eq!(store.person("acme", id).await.unwrap(), Some(first.clone()));
        assert_eq!(store.person("other", id).await.unwrap(), None);
        for mark in [NAME, first.id_card.expose(), "13800001234", "1234"] {
            assert_eq!(store.find_persons("acme", mark).await.unwrap().len(), 2, "{mark}");
        }
        assert_eq!(store.find_persons("acme", "4111111111111111").await.unwrap(), [id]);
        assert!(store.find_persons("other", NAME).await.unwrap().is_empty());
        assert!(store.find_persons("acme", "4321").await.unwrap().is_empty());
        assert_eq!(store.persons_same_id("acme", id).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn many_people_are_kept_in_one_go_and_answered_in_order() {
    for fresh in testing::stores().await {
        let (a, b) = (person("4111111111111111"), person("5500000000000004"));
        let known = fresh.store.put_person("acme", &b).await.unwrap();
        let ids = fresh.store.put_persons("acme", &[a.clone(), b.clone(), a.clone()]).await.unwrap();
        assert_eq!((ids.len(), ids[0] == ids[2], ids[1]), (3, true, known));
        assert_eq!(fresh.store.person("acme", ids[0]).await.unwrap(), Some(a.clone()));
        // One of them is in memory by now; nobody is opened for another tenant.
        let opened = fresh.store.persons("acme", &[ids[0], ids[1], Uuid::new_v4()]).await.unwrap();
        assert_eq!(opened, [(ids[0], a), (ids[1], b)].into());
        assert!(fresh.store.persons("other", &ids).await.unwrap().is_empty());
        assert!(fresh.store.persons("acme", &[]).await.unwrap().is_empty());
        assert!(fresh.store.put_persons("acme", &[]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn p08_the_machines_of_one_human_are_found_under_every_snapshot() {
    for fresh in testing::stores().await {
        let store = &fresh.store;
        let old = store.put_person("acme", &person("4111111111111111")).await.unwrap();
        let new = store.put_person("acme", &person("5500000000000004")).await.unwrap();
        let of = |key: &str, person: Uuid, at: Time| NewInstance { person: Some(person), at, ..machine(key) };
        let orders = [of("before", old, t(5)), of("first", old, t(10)), of("second", new, t(20))];
        let elsewhere = NewInstance { workflow: "other".into(), ..of("third", new, t(20)) };
        let nobodys = NewInstance { person: None, ..of("fourth", new, t(20)) };
        store.submit(orders.into_iter().chain([elsewhere, nobodys]).collect()).await.unwrap();
        let found = store.of_same_people("acme", &machine("-").workflow, &[new], t(10)).await.unwrap();
        let mut found: Vec<(Uuid, &str)> =
            found.iter().map(|(asked, row)| (*asked, row.business_key.as_str())).collect();
        found.sort_unstable();
        assert_eq!(found, [(new, "first"), (new, "second")], "asked about as the new one, since the tenth");
        assert!(store.of_same_people("other", &machine("-").workflow, &[new], t(0)).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn i3_request_ids_follow_from_their_order_for_ever() {
    for fresh in testing::stores().await {
        let id = fresh.store.derive_request_id("acme", "order-1");
        assert_eq!(id.as_str().len(), 32);
        assert_eq!(fresh.store.derive_request_id("acme", "order-1"), id);
        assert_ne!(fresh.store.derive_request_id("acmeo", "rder-1"), id);
        let print = |parts: &[&str]| fresh.store.fingerprint("acme", "duplicate", parts);
        assert_eq!(print(&["a", "b"]), print(&["a", "b"]));
        assert_ne!(print(&["a", "b"]), print(&["ab", ""]));
        if fresh.store.kind() != Kind::Memory {
            let tool = Options { exclusive: false, ..fresh.options.clone() };
            let again = Store::connect(&fresh.url, tool.clone()).await.unwrap();
            assert_eq!(again.derive_request_id("acme", "order-1"), id, "the key is the database's");
            let wrong = Store::connect(&fresh.url, Options { master_key: [8; 32], ..tool }).await.err();
            assert!(matches!(wrong, Some(Error::Refused(_))), "{wrong:?}");
        }
    }
}

/// Everything written that must not be readable at rest.
async fn fill(fresh: &Fresh) -> (Uuid, Uuid) {
    let store = &fresh.store;
    let one = store.put_person("acme", &person("4111111111111111")).await.unwrap();
    let two = store.put_person("acme", &person("5500000000000004")).await.unwrap();
    let id = put(fresh, machine("a")).await;
    store.post(vec![Post { raw: Some(NAME.as_bytes().to_vec()), ..post(Target::Instance(id), None) }]).await.unwrap();
    let claimed = claim_one(fresh, id).await;
    let bytes = format!("name={NAME}&card=4111111111111111").into_bytes();
    let (request, answer) = (bytes.clone(), bytes);
    let exchange = NewExchange {
        id: Uuid::new_v4(),
        operation: "create_order".into(),
        request,
        answer,
        status: None,
        verdict: "unsure".into(),
        took_ms: 1,
        at: t(4),
    };
    assert!(is_done(&commit(fresh, Turn { exchanges: vec![exchange], ..turn(&claimed, "moved") }).await));
    store.idempotency("acme", "k", "d", t(0)).await.unwrap();
    store.save_answer("acme", "k", Saved { status: 201, body: NAME.as_bytes().to_vec() }).await.unwrap();
    (one, two)
}

fn canaries() -> Vec<Vec<u8>> {
    let one = person("4111111111111111");
    let plain = [NAME, one.id_card.expose(), "13800001234", "4111111111111111", "5500000000000004"];
    plain
        .iter()
        .flat_map(|text| {
            [text.as_bytes().to_vec(), hex::encode(text).into_bytes(), hex::encode_upper(text).into_bytes()]
        })
        .collect()
}

fn holds_none(bytes: &[u8], place: &str) {
    for canary in canaries() {
        let found = bytes.windows(canary.len()).any(|window| window == canary);
        assert!(!found, "{} lies readable in {place}", String::from_utf8_lossy(&canary));
    }
}

#[tokio::test]
async fn f104_nobody_can_be_read_at_rest() {
    let fresh = testing::sqlite().await;
    fill(&fresh).await;
    let path = fresh.url.trim_start_matches("sqlite://").to_owned();
    for file in [path.clone(), format!("{path}-wal")] {
        holds_none(&std::fs::read(&file).unwrap(), &file);
    }
    let fresh = testing::postgres().await;
    fill(&fresh).await;
    let Inner::Sql(sql) = &fresh.store.inner else { panic!("an SQL store") };
    for table in ["person", "inbox", "exchange", "idempotency", "instance", "history", "setting"] {
        let rows = sql.all(AssertSqlSafe(format!("select x::text as row from {table} x")), vec![]).await.unwrap();
        assert!(!rows.is_empty(), "{table} holds rows");
        for row in rows {
            holds_none(row.get::<String>("row").unwrap().as_bytes(), table);
        }
    }
}

#[tokio::test]
async fn i30_a_value_moved_to_another_row_does_not_open() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let (one, two) = fill(&fresh).await;
        let [a, b] = [one, two].map(|id| id_of(&fresh, id));
        raw(
            &fresh,
            &format!("update person set bankcard = (select bankcard from person where id = {b}) where id = {a}"),
        )
        .await
        .unwrap();
        let answer = fresh.store.person("acme", one).await;
        assert_eq!(
            answer,
            Err(Error::Corrupt { table: "person".into(), id: one.to_string(), column: "bankcard".into() })
        );
        let shown = answer.unwrap_err().to_string();
        holds_none(shown.as_bytes(), "an error");
        assert!(fresh.store.person("acme", two).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn errors_show_no_values() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let card = "4111111111111111";
        put(&fresh, NewInstance { address: Some(card.into()), ..machine("a") }).await;
        let clash = NewInstance { address: Some(card.into()), ..machine("b") };
        let error = fresh.store.submit(vec![clash]).await.unwrap_err();
        let double = raw(&fresh, &format!("insert into setting (name, value) values ('{card}', '1'), ('{card}', '2')"))
            .await
            .unwrap_err();
        let unreadable = raw(&fresh, &format!("select '{card}' from nowhere")).await.unwrap_err();
        for error in [error, double, unreadable] {
            holds_none(format!("{error} {error:?}").as_bytes(), "an error");
        }
    }
}
