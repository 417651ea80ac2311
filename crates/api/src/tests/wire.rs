//! The accept loop on a real socket (F76).

use super::{World, bearer};
use crate::{Limits, Role, router, serve};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

async fn served(
    world: &World,
    limits: Limits,
) -> (std::net::SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let task = tokio::spawn(serve(listener, router(world.api.clone()), limits, stop.clone()));
    (address, stop, task)
}

async fn read(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn f76_a_slow_head_is_cut_off_and_others_are_served() {
    let world = World::new().await;
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let (address, stop, task) = served(&world, limits).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nHost: x").await.unwrap();
    let mut quick = TcpStream::connect(address).await.unwrap();
    quick.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(read(&mut quick).await.starts_with("HTTP/1.1 200"));
    let begun = Instant::now();
    read(&mut slow).await;
    assert!(begun.elapsed() < Duration::from_secs(3));
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn it_stops_when_it_is_told_with_idle_clients_connected() {
    let world = World::new().await;
    let (address, stop, task) = served(&world, Limits::default()).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut head = [0; 12];
    idle.read_exact(&mut head).await.unwrap();
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(3), task).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the door is closed");
}

#[tokio::test]
async fn f99_an_address_that_tries_keys_waits_and_a_known_key_does_not() {
    let world = World::new().await;
    let (address, stop, task) = served(&world, Limits::default()).await;
    let ask = async |key: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head =
            format!("GET /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        read(&mut stream).await
    };
    let (known, other) = (bearer("default", Role::Viewer), bearer("default", Role::Admin));
    assert!(ask(&known).await.starts_with("HTTP/1.1 200"));
    for n in 0..60 {
        assert!(ask(&format!("wrong-{n}")).await.starts_with("HTTP/1.1 401"), "{n}");
    }
    let refused = ask("wrong").await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: 60"), "{refused}");
    assert!(ask(&other).await.starts_with("HTTP/1.1 429"), "nothing is looked up any more");
    assert!(ask(&known).await.starts_with("HTTP/1.1 200"));
    stop.cancel();
    task.await.unwrap();
}
