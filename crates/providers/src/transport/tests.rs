use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const FORM: &str = "application/x-www-form-urlencoded";
const BODY: &[u8] = b"req=%7B%7D&sign=%2B";

/// A server on loopback that runs `answer` once it has read a whole request; yields its address and the requests it read.
async fn server<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> (String, Arc<std::sync::Mutex<Vec<String>>>)
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let read = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = read.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(BODY) {
                let mut piece = [0; 1024];
                match stream.read(&mut piece).await {
                    Ok(size) if size > 0 => request.extend_from_slice(&piece[..size]),
                    Ok(_) | Err(_) => break,
                }
            }
            kept.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
            answer(stream).await;
        }
    });
    (address, read)
}

async fn exchange(url: &str, timeout: Duration) -> Result<WireAnswer, WireFault> {
    let transport = Transport::http().unwrap();
    let request = WireRequest {
        method: Method::Post,
        account: "main".to_owned(),
        url: format!("{url}/api/levy/v1"),
        content_type: FORM,
        body: BODY.to_vec(),
        timeout,
    };
    transport.exchange(&request).await.0
}

const PATIENT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_exact_body_is_posted_and_nothing_packed_is_asked_for() {
    let (url, read) = server(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nApi-Sign: abc=\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
    })
    .await;
    let answer = exchange(&url, PATIENT).await.unwrap();
    assert_eq!(
        (answer.status, answer.body.as_slice(), answer.header("api-SIGN")),
        (200, b"{}".as_slice(), Some("abc="))
    );
    let request = read.lock().unwrap()[0].to_ascii_lowercase();
    assert!(request.starts_with("post /api/levy/v1 http/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("content-type: {FORM}\r\n")), "{request}");
    assert!(!request.contains("accept-encoding"), "{request}");
    assert!(request.ends_with("\r\n\r\nreq=%7b%7d&sign=%2b"), "{request}");
}

#[tokio::test]
async fn f43_a_refused_connection_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(exchange(&url, PATIENT).await.unwrap_err(), WireFault::NotSent);
    assert_eq!(exchange("http://no-such-host.invalid", PATIENT).await.unwrap_err(), WireFault::NotSent);
    assert_eq!(exchange("no address", PATIENT).await.unwrap_err(), WireFault::NotSent);
}

#[tokio::test]
async fn f64_a_failed_tls_handshake_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    assert_eq!(exchange(&url, PATIENT).await.unwrap_err(), WireFault::NotSent);
}

#[tokio::test]
async fn f66_a_redirect_is_not_followed() {
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = visits.clone();
    let (elsewhere, _) = server(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        async {}
    })
    .await;
    let (url, _) = server(move |mut stream| {
        let head = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n");
        async move { stream.write_all(head.as_bytes()).await.unwrap() }
    })
    .await;
    assert_eq!(exchange(&url, PATIENT).await.unwrap().status, 307);
    assert_eq!(visits.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn f51_an_endless_answer_is_cut_at_the_cap() {
    let (url, _) = server(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'a'; 64 * 1024]).await.is_ok() {}
    })
    .await;
    assert_eq!(exchange(&url, PATIENT).await.unwrap_err(), WireFault::TooLarge);
}

#[tokio::test]
async fn an_answer_of_just_the_cap_is_read_and_no_byte_more() {
    for (size, read) in [(ANSWER_MAX, Ok(ANSWER_MAX)), (ANSWER_MAX + 1, Err(WireFault::TooLarge))] {
        let (url, _) = server(move |mut stream| async move {
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes()).await.unwrap();
            // The reader may hang up before the last byte.
            let _ = stream.write_all(&vec![b'a'; size]).await;
        })
        .await;
        assert_eq!(exchange(&url, PATIENT).await.map(|answer| answer.body.len()), read);
    }
}

#[tokio::test]
async fn f50_a_dripping_answer_is_cut_by_the_calls_timeout() {
    let (url, _) = server(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await.unwrap();
        while stream.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let begun = Instant::now();
    assert_eq!(exchange(&url, Duration::from_millis(300)).await.unwrap_err(), WireFault::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn f44_silence_is_a_timeout() {
    let (url, _) = server(|stream| async move {
        tokio::time::sleep(PATIENT).await;
        drop(stream);
    })
    .await;
    assert_eq!(exchange(&url, Duration::from_millis(200)).await.unwrap_err(), WireFault::Timeout);
}

#[tokio::test]
async fn f45_a_connection_closed_after_the_request_is_broken() {
    let (url, _) = server(|stream| async move { drop(stream) }).await;
    assert_eq!(exchange(&url, PATIENT).await.unwrap_err(), WireFault::Broken);
    let (url, _) = server(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort").await.unwrap();
    })
    .await;
    assert_eq!(exchange(&url, PATIENT).await.unwrap_err(), WireFault::Broken, "truncated");
}

#[tokio::test]
async fn what_is_no_http_is_broken() {
    let (url, _) = server(|mut stream| async move {
        stream.write_all(b"220 smtp.test ESMTP\r\n").await.unwrap();
    })
    .await;
    assert_eq!(exchange(&url, PATIENT).await.unwrap_err(), WireFault::Broken);
}

#[tokio::test]
async fn f51_a_local_peer_meets_the_same_cap() {
    struct Endless;
    impl Peer for Endless {
        fn exchange<'a>(&'a self, _: &'a WireRequest) -> Exchanging<'a> {
            let answer = WireAnswer { status: 200, headers: Vec::new(), body: vec![b'a'; ANSWER_MAX + 1] };
            Box::pin(std::future::ready(Ok(answer)))
        }
    }
    let (account, url, body) = ("main".to_owned(), "http://127.0.0.1:9".to_owned(), BODY.to_vec());
    let request = WireRequest { method: Method::Post, account, url, content_type: FORM, body, timeout: PATIENT };
    let (outcome, took) = Transport::Local(Arc::new(Endless)).exchange(&request).await;
    assert_eq!((outcome.unwrap_err(), took), (WireFault::TooLarge, Duration::ZERO));
}

#[test]
fn a_header_given_twice_is_none() {
    let header = |value: &str| ("Api-Sign".to_owned(), value.to_owned());
    let answer = |headers| WireAnswer { status: 200, headers, body: Vec::new() };
    assert_eq!(answer(vec![header("a")]).header("api-sign"), Some("a"));
    assert_eq!(answer(vec![header("a"), header("a")]).header("api-sign"), None);
    assert_eq!(answer(Vec::new()).header("api-sign"), None);
}
