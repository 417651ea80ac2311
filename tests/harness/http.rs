//! HTTP/1.1 on a plain socket, one request per connection: what `curl` does, and nothing a library might smooth over.

use serde_json::Value;
use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than the ten seconds a permit may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is large and comes in a crowd.
const UPLOADED_WITHIN: Duration = Duration::from_secs(300);

/// A server, and the key to speak to it with.
#[derive(Debug, Clone)]
pub struct Http {
    address: String,
    key: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Http {
    /// `base` is `http://ADDR`.
    pub fn new(base: &str, key: Option<&str>) -> Self {
        let address = base.strip_prefix("http://").expect("plain http").trim_end_matches('/');
        Self { address: address.to_owned(), key: key.map(str::to_owned) }
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { address: self.address.clone(), key: key.map(str::to_owned) }
    }

    /// Sends, and reads the whole answer.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let mut stream = self.begin(method, path, headers, body.len())?;
        // A server may refuse a body before it has read it: its answer counts, not that the rest could not be sent.
        let sent = stream.write_all(body);
        finish(stream).map_err(|why| sent.err().unwrap_or(why))
    }

    /// The same of a body that lies in pieces.
    pub fn send_pieces(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[&[u8]],
    ) -> io::Result<Answer> {
        let mut stream = self.begin(method, path, headers, body.iter().map(|piece| piece.len()).sum())?;
        stream.set_read_timeout(Some(UPLOADED_WITHIN))?;
        let sent = body.iter().try_for_each(|piece| stream.write_all(piece));
        finish(stream).map_err(|why| sent.err().unwrap_or(why))
    }

    /// Announces a body of that length without sending it.
    pub fn announce(&self, method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> io::Result<Answer> {
        finish(self.begin(method, path, headers, length)?)
    }

    fn begin(&self, method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n",
            self.address
        );
        if let Some(key) = &self.key {
            head.push_str(&format!("Authorization: Bearer {key}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        Ok(stream)
    }

    pub fn get(&self, path: &str) -> io::Result<Answer> {
        self.send("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> io::Result<Answer> {
        self.send("POST", path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    /// Posts under an Idempotency-Key.
    pub fn post_once(&self, path: &str, key: &str, body: &Value) -> io::Result<Answer> {
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)];
        self.send("POST", path, &headers, body.to_string().as_bytes())
    }

    pub fn put(&self, path: &str, body: &Value) -> io::Result<Answer> {
        self.send("PUT", path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    /// Reads, and insists on 200.
    #[track_caller]
    pub fn read(&self, path: &str) -> Value {
        let answer = self.get(path).unwrap_or_else(|why| panic!("GET {path}: {why}"));
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        answer.json()
    }

    /// Posts, and insists on success.
    #[track_caller]
    pub fn done(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body).unwrap_or_else(|why| panic!("POST {path}: {why}"));
        assert!((200..300).contains(&answer.status), "POST {path} answered {}: {}", answer.status, answer.text());
        answer.json()
    }

    /// Every item of a list, page by page.
    #[track_caller]
    pub fn all(&self, path: &str) -> Vec<Value> {
        self.try_all(path).unwrap_or_else(|why| panic!("list {path}: {why}"))
    }

    pub fn try_all(&self, path: &str) -> io::Result<Vec<Value>> {
        let (mut items, mut after) = (Vec::new(), String::new());
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let answer = self.get(&format!("{path}{joint}limit=200{after}"))?;
            if answer.status != 200 {
                return Err(Error::other(format!("{} {}", answer.status, answer.text())));
            }
            let page = answer.json();
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => after = format!("&cursor={next}"),
                None => return Ok(items),
            }
        }
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The code of a problem (RFC 9457), which must be one.
    #[track_caller]
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        let problem = self.json();
        for member in ["type", "title", "detail"] {
            assert!(problem[member].is_string(), "a problem has a {member}: {problem}");
        }
        assert_eq!(problem["status"], self.status, "{problem}");
        problem["code"].as_str().expect("every problem carries a code").to_owned()
    }
}

fn finish(mut stream: TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    // What came before a reset still counts, if it is whole.
    parse(&bytes).map_err(|why| read.err().unwrap_or(why))
}

fn parse(bytes: &[u8]) -> io::Result<Answer> {
    let cut = || Error::new(ErrorKind::UnexpectedEof, "the answer is not whole");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(cut)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status =
        lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: bytes[end + 4..].to_vec() };
    if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        answer.body = unchunked(&answer.body).ok_or_else(cut)?;
    } else if let Some(length) = answer.header("content-length").and_then(|text| text.parse::<usize>().ok())
        && answer.body.len() < length
    {
        return Err(cut());
    }
    Ok(answer)
}

fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?.trim(), 16).ok()?;
        let chunk = bytes.get(end + 2..end + 2 + length)?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk);
        bytes = bytes.get(end + 2 + length + 2..)?;
    }
}
