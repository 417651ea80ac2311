//! People: snapshots sealed field by field, found through blind indexes (security.md §1).

use crate::connect::work;
use crate::sql::{Conn, Into, Outcome, Row, Value};
use crate::vault::{Keys, Place, Vault};
use crate::{Error, Result, Sql};
use domain::{BankCard, Cellphone, IdCard, Person, PersonName, ids};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, PoisonError};
use uuid::Uuid;

const INSERT: Into = Into {
    name: "person.put",
    table: "person",
    columns: "id uuid, tenant text, fingerprint text, name bytea, id_card bytea, cellphone bytea, bankcard bytea, name_ix text, \
              id_card_ix text, cellphone_ix text, tail_ix text, bankcard_ix text",
    suffix: "on conflict (tenant, fingerprint) do nothing",
};
const COLUMNS: &str = "id, tenant, name, id_card, cellphone, bankcard";
static GET: LazyLock<String> = LazyLock::new(|| format!("-- person.get\nselect {COLUMNS} from person where id = $1"));
/// Opened people kept in memory; a turn needs the same person a few times in a row.
const CACHED: usize = 4096;

impl Sql {
    pub(crate) async fn put_persons(&self, tenant: &str, persons: &[Person]) -> Result<Vec<Uuid>> {
        let keys = self.keys_of(tenant).await?;
        let prints: Vec<String> = persons.iter().map(|person| fingerprint(&self.vault, tenant, person)).collect();
        let distinct: BTreeMap<&String, &Person> = prints.iter().zip(persons).collect();
        let asked: Vec<Vec<Value>> = distinct.keys().map(|print| vec![tenant.into(), (*print).into()]).collect();
        let mut ids = known(&mut self.pool.reader().await?, asked).await?;
        // In order of fingerprints, so that two uploads never wait for each other crosswise.
        let new = distinct.into_iter().filter(|(print, _)| !ids.contains_key(*print));
        let real = self.clock.real();
        let rows: Vec<Vec<Value>> =
            new.map(|(print, person)| row_of(&keys, ids::draw(real), tenant, print, person)).collect();
        if !rows.is_empty() {
            let work = work(move |c| {
                let asked = rows.iter().map(|row| row[1..=2].to_vec()).collect();
                let rows = rows.clone();
                Box::pin(async move {
                    c.insert(&INSERT, rows).await?;
                    known(c, asked).await
                })
            });
            ids.extend(self.pool.write(work).await?);
        }
        prints.iter().map(|print| ids.get(print).copied().ok_or(Error::Unavailable)).collect()
    }

    pub(crate) async fn persons(&self, tenant: &str, ids: &[Uuid]) -> Result<HashMap<Uuid, Person>> {
        let key = |id: &Uuid| (tenant.to_owned(), *id);
        let mut found: HashMap<Uuid, Person> = {
            let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
            ids.iter().filter_map(|id| Some((*id, people.get(&key(id))?.clone()))).collect()
        };
        let closed: Vec<Uuid> = ids.iter().filter(|id| !found.contains_key(id)).copied().collect();
        if closed.is_empty() {
            return Ok(found);
        }
        let rows = match closed[..] {
            [one] => self.by_id(&GET, one).await?.into_iter().collect(),
            _ => {
                let sql = format!("-- person.get\nselect {COLUMNS} from person where {}", self.chosen("id", 1));
                self.all(AssertSqlSafe(sql), vec![closed.into()]).await?.into_iter().map(Arc::new).collect::<Vec<_>>()
            }
        };
        let keys = self.keys_of(tenant).await?;
        let mut opened = Vec::with_capacity(rows.len());
        for row in rows {
            if row.get::<String>("tenant")? == tenant {
                let id = row.get("id")?;
                opened.push((id, open(&keys, tenant, id, &row)?));
            }
        }
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        if people.len() + opened.len() > CACHED {
            people.clear();
        }
        people.extend(opened.iter().map(|(id, person)| (key(id), person.clone())));
        found.extend(opened);
        Ok(found)
    }

    pub(crate) async fn find_persons(&self, tenant: &str, text: &str) -> Result<Vec<Uuid>> {
        let keys = self.keys_of(tenant).await?;
        let text = text.trim();
        let name = PersonName::parse(text).map_or_else(|_| text.to_owned(), |name| name.expose().to_owned());
        let sql = "-- person.find\nselect id from person where tenant = $1 and (name_ix = $2 or id_card_ix = $3 or cellphone_ix = $4 \
                   or tail_ix = $5 or bankcard_ix = $6) order by id limit 1000";
        let values = vec![
            tenant.into(),
            keys.blind("name", &name).into(),
            keys.blind("id_card", &text.to_uppercase()).into(),
            keys.blind("cellphone", text).into(),
            keys.blind("tail", text).into(),
            keys.blind("bankcard", text).into(),
        ];
        self.all(sql, values).await?.iter().map(|row| row.get("id")).collect()
    }

    pub(crate) async fn persons_same_id(&self, tenant: &str, id: Uuid) -> Result<Vec<Uuid>> {
        let sql = "-- person.same_id\nselect b.id from person a join person b on b.tenant = a.tenant and b.id_card_ix = a.id_card_ix \
                   where a.tenant = $1 and a.id = $2 order by b.id";
        self.all(sql, vec![tenant.into(), id.into()]).await?.iter().map(|row| row.get("id")).collect()
    }
}

/// What makes two snapshots the same: all four fields.
pub(crate) fn fingerprint(vault: &Vault, tenant: &str, person: &Person) -> String {
    let fields = [person.name.expose(), person.id_card.expose(), person.cellphone.expose(), person.bankcard.expose()];
    vault.fingerprint(tenant, "person", &fields)
}

/// The snapshots there are, by fingerprint.
async fn known(c: &mut Conn, asked: Vec<Vec<Value>>) -> Outcome<HashMap<String, Uuid>> {
    let pg = "-- person.known\nselect p.id, p.fingerprint from unnest($1::text[], $2::text[]) x(tenant, print) \
              join person p on p.tenant = x.tenant and p.fingerprint = x.print";
    let lite = "-- person.known\nselect id, fingerprint from person where tenant = $1 and fingerprint = $2";
    let rows = c.each(pg, lite, asked).await?;
    Ok(rows.iter().map(|row| Ok((row.get("fingerprint")?, row.get("id")?))).collect::<Result<_>>()?)
}

fn row_of(keys: &Keys, id: Uuid, tenant: &str, fingerprint: &str, person: &Person) -> Vec<Value> {
    let (name, id_card) = (person.name.expose(), person.id_card.expose());
    let (phone, card) = (person.cellphone.expose(), person.bankcard.expose());
    let seal = |column: &str, value: &str| -> Value {
        keys.seal(&Place { tenant, table: "person", column, row: id }, value.as_bytes()).into()
    };
    vec![
        id.into(),
        tenant.into(),
        fingerprint.into(),
        seal("name", name),
        seal("id_card", id_card),
        seal("cellphone", phone),
        seal("bankcard", card),
        keys.blind("name", name).into(),
        keys.blind("id_card", id_card).into(),
        keys.blind("cellphone", phone).into(),
        keys.blind("tail", tail(phone)).into(),
        keys.blind("bankcard", card).into(),
    ]
}

/// The last four digits of a phone.
pub(crate) fn tail(phone: &str) -> &str {
    phone.get(phone.len().saturating_sub(4)..).unwrap_or(phone)
}

fn open(keys: &Keys, tenant: &str, id: Uuid, row: &Row) -> Result<Person> {
    let field = |column: &str| -> Result<String> {
        let sealed: Vec<u8> = row.get(column)?;
        let plain = keys.open(&Place { tenant, table: "person", column, row: id }, &sealed)?;
        String::from_utf8(plain).map_err(|_| row.corrupt(column))
    };
    Ok(Person {
        name: PersonName::parse(&field("name")?).map_err(|_| row.corrupt("name"))?,
        id_card: IdCard::parse(&field("id_card")?).map_err(|_| row.corrupt("id_card"))?,
        cellphone: Cellphone::parse(&field("cellphone")?).map_err(|_| row.corrupt("cellphone"))?,
        bankcard: BankCard::parse(&field("bankcard")?).map_err(|_| row.corrupt("bankcard"))?,
    })
}
