use super::*;
use crate::{migrations, testing};
use std::collections::{BTreeMap, BTreeSet};

fn names(dialect: &str) -> Vec<String> {
    let folder = format!("{}/../../migrations/{dialect}", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn both_folders_hold_the_same_migrations_and_all_are_embedded() {
    assert_eq!(names("postgres"), names("sqlite"));
    let embedded: Vec<String> =
        migrations::ALL.iter().map(|(version, name, ..)| format!("{version:04}_{name}.sql")).collect();
    assert_eq!(names("postgres"), embedded);
}

async fn columns(fresh: &Fresh) -> BTreeMap<String, BTreeSet<String>> {
    let Inner::Sql(sql) = &fresh.store.inner else { panic!("an SQL store") };
    let query = match fresh.store.kind() {
        Kind::Postgres => {
            "select table_name::text as t, column_name::text as c from information_schema.columns where table_schema = 'public'"
        }
        Kind::Sqlite | Kind::Memory => {
            "select m.name as t, p.name as c from sqlite_master m join pragma_table_info(m.name) p where m.type = 'table'"
        }
    };
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in sql.all(query, vec![]).await.unwrap() {
        tables.entry(row.get("t").unwrap()).or_default().insert(row.get("c").unwrap());
    }
    tables.retain(|table, _| !table.starts_with("_sqlx") && !table.starts_with("sqlite_"));
    tables
}

#[tokio::test]
async fn both_dialects_make_the_same_tables_and_columns() {
    let (lite, pg) = (testing::sqlite().await, testing::postgres().await);
    assert_eq!(columns(&lite).await, columns(&pg).await);
    assert!(columns(&lite).await.len() >= 20);
}

#[tokio::test]
async fn migrating_twice_changes_nothing_and_strange_schemas_are_refused() {
    for fresh in testing::stores().await {
        fresh.store.migrate().await.unwrap();
        fresh.store.check_schema().await.unwrap();
        assert_eq!(fresh.store.schema_version().await.unwrap(), Some(migrations::newest()));
        if fresh.store.kind() == Kind::Memory {
            continue;
        }
        raw(&fresh, "update _sqlx_migrations set version = 9999 where version = 4").await.unwrap();
        assert_eq!(
            fresh.store.check_schema().await,
            Err(Error::Schema { found: Some(9999), known: migrations::newest() })
        );
        raw(&fresh, "drop table _sqlx_migrations").await.unwrap();
        assert_eq!(fresh.store.check_schema().await, Err(Error::Schema { found: None, known: migrations::newest() }));
    }
}

#[tokio::test]
async fn a_database_whose_first_migration_was_cut_short_opens_and_is_migrated_on() {
    let file = std::env::temp_dir().join(format!("levee-half-{}.db", Uuid::new_v4()));
    for url in [format!("sqlite://{}", file.display()), testing::database().await] {
        for done in 0..migrations::ALL.len() {
            let options = testing::options(testing::clock());
            let store = Store::connect(&url, options.clone()).await.unwrap();
            let Inner::Sql(sql) = &store.inner else { panic!("an SQL store") };
            migrations::apply(&sql.pool, &migrations::ALL[..done]).await.unwrap();
            store.close().await;
        }
        let store = Store::connect(&url, testing::options(testing::clock())).await.unwrap();
        store.migrate().await.unwrap();
        store.check_schema().await.unwrap();
        store.close().await;
    }
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
    }
}

#[tokio::test]
async fn an_unknown_url_is_refused() {
    let options = testing::options(testing::clock());
    assert!(matches!(Store::connect("mysql://x", options).await.err(), Some(Error::Refused(_))));
}
