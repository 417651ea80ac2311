//! What machines are found by: carried over from rows that were there before it was a table, and the same as their rows say.

use super::audits::{count, plan};
use super::rules::without_triggers;
use super::*;
use crate::{migrations, testing};

/// An order with all that one can be found by, and its child with none but a key.
fn family() -> [NewInstance; 2] {
    let order = NewInstance { address: Some("main/1".into()), person: Some(Uuid::new_v4()), ..machine("order") };
    let child = NewInstance { parent: Some(order.id), ..machine("child") };
    [order, child]
}

#[tokio::test]
async fn machines_of_an_older_schema_are_found_as_before() {
    let folder = std::env::temp_dir().join(format!("levee-older-{}.db", Uuid::new_v4()));
    for url in [format!("sqlite://{}", folder.display()), testing::database().await] {
        let options = testing::options(testing::clock());
        let store = Store::connect(&url, options.clone()).await.unwrap();
        let older: Vec<_> = migrations::ALL.iter().copied().filter(|(version, ..)| *version < 9).collect();
        let Inner::Sql(sql) = &store.inner else { panic!("an SQL store") };
        migrations::apply(&sql.pool, &older).await.unwrap();
        let [order, child] = family();
        for new in [&order, &child] {
            let insert = "-- old.submit\ninsert into instance (id, workflow, tenant, account, business_key, address, parent, person, content_hash, \
                          input, state, state_name, revision, head, lane, class, created_at, updated_at) \
                          values ($1, $2, $3, 'main', $4, $5, $6, $7, $8, '{}', '1', 'gated', 1, 'h', '-', 3, 1, 1)";
            let (id, workflow, tenant, key) =
                (new.id.into(), (&new.workflow).into(), (&new.tenant).into(), (&new.business_key).into());
            let (address, parent, person) = (new.address.clone().into(), new.parent.into(), new.person.into());
            let values = vec![id, workflow, tenant, key, address, parent, person, (&new.content_hash).into()];
            sql.exec(insert, values).await.unwrap();
        }
        store.migrate().await.unwrap();
        store.check_schema().await.unwrap();

        let again = [&order, &child].map(|new| NewInstance { id: InstanceId(Uuid::new_v4()), ..new.clone() });
        let answers = store.submit(again.to_vec()).await.unwrap();
        assert_eq!(answers, [Submitted::Known(order.id), Submitted::Known(child.id)]);
        let taken = NewInstance { address: order.address.clone(), ..machine("other") };
        assert_eq!(store.submit(vec![taken]).await, Err(Error::Forbidden("identity_address".into())));
        let letter = post(Target::Address("main/1".into()), None);
        assert_eq!(store.post(vec![letter]).await.unwrap(), [Posted::Stored]);
        assert_eq!(store.children(order.id).await.unwrap()[0].id, child.id);
        let found = async |filter| -> Vec<InstanceId> {
            store.list(Filter { limit: 9, ..filter }).await.unwrap().into_iter().map(|row| row.id).collect()
        };
        assert_eq!(found(Filter { persons: order.person.map(|id| vec![id]), ..Filter::default() }).await, [order.id]);
        assert_eq!(found(Filter { parent: Some(order.id), ..Filter::default() }).await, [child.id]);
        assert_eq!(found(Filter { business_key: Some("child".into()), ..Filter::default() }).await, [child.id]);
        store.close().await;
    }
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", folder.display()));
    }
}

#[tokio::test]
async fn what_a_machine_is_found_by_is_what_its_row_says() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let [order, child] = family();
        assert_eq!(fresh.store.submit(vec![order.clone(), child.clone()]).await.unwrap().len(), 2);
        assert_eq!(count(&fresh, "S-F", t(1), plan()).await, 0);
        without_triggers(&fresh, "identity").await;
        let (of_order, of_child) = (id_of(&fresh, order.id.0), id_of(&fresh, child.id.0));
        let changes = [
            ("tenant = 'other'", "tenant = 'acme'", &of_order),
            ("workflow = 'other'", "workflow = 'order'", &of_order),
            ("business_key = 'other'", "business_key = 'order'", &of_order),
            ("address = null", "address = 'main/1'", &of_order),
            ("person = null", &format!("person = {}", id_of(&fresh, order.person.unwrap())), &of_order),
            ("parent = null", &format!("parent = {of_order}"), &of_child),
        ];
        for (broken, mended, id) in changes {
            let change = |set: &str| format!("update identity set {set} where instance = {id}");
            assert_eq!(raw(&fresh, &change(broken)).await, Ok(1));
            assert_eq!(count(&fresh, "S-F", t(1), plan()).await, 1, "{broken} on {:?}", fresh.store.kind());
            assert_eq!(raw(&fresh, &change(mended)).await, Ok(1));
        }
        assert_eq!(count(&fresh, "S-F", t(1), plan()).await, 0);
    }
}
