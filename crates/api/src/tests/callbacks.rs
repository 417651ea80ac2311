//! Callbacks: verified, durable, then acknowledged; anything else is not acknowledged and leaves no trace.

use super::{SECRET, World};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

fn signed(req: &str) -> String {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(req.as_bytes());
    let sign = STANDARD.encode(mac.finalize().into_bytes());
    form_urlencoded::Serializer::new(String::new()).append_pair("req", req).append_pair("sign", &sign).finish()
}

fn notice(request_id: &str) -> String {
    format!(
        r#"{{"name":"CREATE_ORDER_V2","code":"0","message":"","data":{{"request_id":"{request_id}","status":"CLOSE"}}}}"#
    )
}

#[tokio::test]
async fn f67_a_callback_is_acknowledged_exactly_and_every_copy_too() {
    let world = World::new().await;
    let (order, _) = world.ready("A-1", 1).await;
    let request_id = world.get(&format!("/v1/orders/{order}")).await.json()["request_id"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        let answer = world.callback("main", signed(&notice(&request_id))).await.expect(200);
        assert_eq!(answer.text, "SUCCESS");
    }
    world.engine.until_idle().await.unwrap();
    let story = world.get(&format!("/v1/orders/{order}/timeline")).await.expect(200).json();
    let heard = story["items"].as_array().unwrap().iter().filter(|item| item["event"] == "Hinted").count();
    assert_eq!(heard, 1, "{story}");
}

#[tokio::test]
async fn f71_an_unknown_id_is_kept_and_acknowledged() {
    let world = World::new().await;
    assert_eq!(world.callback("main", signed(&notice("nobodys-order"))).await.expect(200).text, "SUCCESS");
    let later = world.engine.clock.now() + std::time::Duration::from_secs(3600);
    assert_eq!(world.engine.store.orphans(later).await.unwrap().len(), 1);
}

#[tokio::test]
async fn f72_what_proves_nothing_about_its_sender_is_refused() {
    let world = World::new().await;
    let forged = signed(&notice("A")).replace("nobodys", "somebodys").replace("sign=", "sign=AAAA");
    for body in
        [forged, String::new(), "req=1".into(), "nonsense".into(), "%ff%fe=%00".into(), "{}".into(), notice("A")]
    {
        let answer = world.callback("main", body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(!answer.text.contains("SUCCESS"));
    }
    world.callback("nobody", signed(&notice("A"))).await.expect(404);
    let reflected = r#"{"name":"CREATE_ORDER_V2","client_key":"sim-client","data":{}}"#;
    assert_eq!(world.callback("main", signed(reflected)).await.expect(400).code(), "reflected");
    assert_eq!(
        world.callback("main", signed(r#"{"name":"FORMAT_DISK","code":"0","data":{}}"#)).await.expect(400).code(),
        "unknown_name"
    );
}

#[tokio::test]
async fn f77_a_body_over_the_limit_is_not_read() {
    let world = World::new().await;
    world.callback("main", vec![b'x'; 64 * 1024 + 1]).await.expect(413);
    let deep = format!(r#"{{"name":"CREATE_ORDER_V2","data":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let answer = world.callback("main", signed(&deep)).await;
    assert!(answer.status < 500, "{}", answer.text);
}
