//! A TCP proxy that passes every call on as it is, but one: that one meets its fault. It knows HTTP as far as a head and a
//! `Content-Length`, and nothing of what is inside.

use crate::fault::Wire;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    open: watch::Sender<()>,
}

/// What is to happen to one call.
pub(crate) struct Plan {
    pub(crate) wire: Wire,
    /// Which one, counted from 0.
    pub(crate) call: usize,
    /// The call whose answer [`Wire::Other`] repeats.
    pub(crate) other: usize,
    /// Changes the far side just before the call goes on to it.
    pub(crate) at_strike: Box<dyn FnOnce() + Send>,
}

struct Shared {
    provider: SocketAddr,
    state: Mutex<State>,
    /// Asks the listener to close, and hears that it has.
    shut: mpsc::Sender<oneshot::Sender<()>>,
    /// Ends connections that wait for their next call: a spare one in the client's pool is no way around a refusal.
    idle: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    /// Calls so far, whole or not.
    calls: usize,
    struck: bool,
    /// The provider's answers, in the order of their calls.
    answers: Vec<Vec<u8>>,
}

/// Between two bytes that drip: an answer takes half a minute.
const DRIP: Duration = Duration::from_millis(100);
const PAGE: &str = "<!DOCTYPE html><html><body>系统维护中</body></html>";

impl Proxy {
    pub(crate) async fn start(provider: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (shut, shutting) = mpsc::channel(1);
        let shared = Arc::new(Shared { provider, state: Mutex::default(), shut, idle: watch::Sender::new(()) });
        let (open, opened) = watch::channel(());
        tokio::spawn(listen(listener, Arc::clone(&shared), shutting, opened));
        Ok(Self { address, shared, open })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn calls(&self) -> usize {
        self.shared.state().calls
    }

    pub(crate) fn struck(&self) -> bool {
        self.shared.state().struck
    }

    /// Lays a fault in wait.
    pub(crate) async fn arm(&self, plan: Plan) {
        let at_once = plan.wire == Wire::Refuse && plan.call == self.calls();
        self.shared.state().plan = Some(plan);
        if at_once {
            self.shared.close().await;
        }
    }

    /// Listens again where it was made to refuse.
    pub(crate) fn mend(&self) {
        self.open.send_replace(());
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn close(&self) {
        let (closed, closing) = oneshot::channel();
        if self.shut.send(closed).await.is_ok() && closing.await.is_ok() {
            self.idle.send_replace(());
            self.state().struck = true;
        }
    }

    /// Counts the call, and says what it meets.
    fn meet(&self) -> Option<Plan> {
        let mut state = self.state();
        let call = state.calls;
        state.calls += 1;
        state.plan.take_if(|plan| plan.call == call)
    }

    /// Whether the next call is to find nobody.
    fn refuses_next(&self) -> bool {
        let state = self.state();
        state.plan.as_ref().is_some_and(|plan| plan.wire == Wire::Refuse && plan.call == state.calls)
    }

    /// A TLS greeting is no call: it says nothing.
    fn greeted(&self) {
        let mut state = self.state();
        state.struck |= state.plan.take_if(|plan| plan.wire == Wire::NoTls).is_some();
    }
}

async fn listen(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut shutting: mpsc::Receiver<oneshot::Sender<()>>,
    mut open: watch::Receiver<()>,
) {
    let mut listener = listener;
    loop {
        tokio::select! {
            arrived = listener.accept() => {
                if let Ok((client, _)) = arrived {
                    tokio::spawn(connection(client, Arc::clone(&shared)));
                }
            }
            asked = shutting.recv() => {
                let (Some(closed), Ok(address)) = (asked, listener.local_addr()) else { return };
                open.mark_unchanged();
                drop(listener);
                // Bound and not listening: connections are refused, and nobody else gets the port.
                let Ok(held) = hold(address) else { return };
                let _ = closed.send(());
                if open.changed().await.is_err() {
                    return;
                }
                let Ok(again) = held.listen(64) else { return };
                listener = again;
            }
            gone = open.changed() => {
                if gone.is_err() {
                    return;
                }
            }
        }
    }
}

fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Whatever breaks ends the connection: that is what a broken connection is.
async fn connection(mut client: TcpStream, shared: Arc<Shared>) {
    let mut ended = shared.idle.subscribe();
    loop {
        tokio::select! {
            _ = ended.changed() => return,
            arrived = client.readable() => if arrived.is_err() { return },
        }
        if !matches!(one_call(&mut client, &shared).await, Ok(true)) {
            return;
        }
    }
}

/// One call through; `false` when the connection is not to be used again.
async fn one_call(client: &mut TcpStream, shared: &Shared) -> io::Result<bool> {
    let mut request = Vec::new();
    let Some(head) = head(client, &mut request).await? else {
        if !request.is_empty() {
            shared.greeted();
        }
        return Ok(false);
    };
    let Some(Plan { wire, other, at_strike, .. }) = shared.meet() else {
        return pass(client, shared, request, head).await;
    };
    at_strike();
    if wire == Wire::CutRequest {
        shared.state().struck = true;
        let mut provider = TcpStream::connect(shared.provider).await?;
        provider.write_all(&request[..head.midpoint(request.len())]).await?;
        return Ok(false);
    }
    // A caller that has given up by now has missed it.
    rest(client, &mut request, head).await?;
    shared.state().struck = true;
    strike(client, shared, wire, other, &request).await?;
    Ok(false)
}

async fn pass(client: &mut TcpStream, shared: &Shared, mut request: Vec<u8>, head: usize) -> io::Result<bool> {
    rest(client, &mut request, head).await?;
    let mut answer = forward(shared.provider, &request).await?;
    shared.state().answers.push(answer.clone());
    let last = shared.refuses_next();
    if last {
        shared.close().await;
        answer.splice(first_line_end(&answer), *b"\r\nConnection: close");
    }
    client.write_all(&answer).await?;
    Ok(!last)
}

/// The one call that goes wrong.
async fn strike(client: &mut TcpStream, shared: &Shared, wire: Wire, other: usize, request: &[u8]) -> io::Result<()> {
    if let Wire::Instead(status) = wire {
        return client.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await;
    }
    let mut answer = forward(shared.provider, request).await?;
    if wire == Wire::Twice {
        answer = forward(shared.provider, request).await?;
    }
    let body = end_of_head(&answer).unwrap_or(answer.len());
    let half = body.midpoint(answer.len());
    match wire {
        Wire::Lose => return Ok(()),
        Wire::Hold => return hung_up(client).await,
        Wire::Drip => return drip(client, &answer).await,
        Wire::CutHead => answer.truncate(body / 2),
        Wire::CutBody => answer.truncate(half),
        // One letter of some word in it: as readable as before.
        Wire::Alter => {
            if let Some(at) = answer.iter().rposition(u8::is_ascii_alphanumeric) {
                answer[at] ^= 1;
            }
        }
        Wire::Shorten => answer = shortened(&answer, body, half),
        Wire::Encode => {
            answer.splice(first_line_end(&answer), *b"\r\nContent-Encoding: gzip");
        }
        Wire::Other => answer = shared.state().answers.get(other).cloned().unwrap_or_default(),
        Wire::Replace(status) => answer = page(status),
        Wire::Pass | Wire::Twice | Wire::Refuse | Wire::NoTls | Wire::CutRequest | Wire::Instead(_) => {}
    }
    client.write_all(&answer).await
}

async fn drip(client: &mut TcpStream, answer: &[u8]) -> io::Result<()> {
    for byte in answer {
        client.write_all(&[*byte]).await?;
        tokio::time::sleep(DRIP).await;
    }
    Ok(())
}

/// Until the caller gives up.
async fn hung_up(client: &mut TcpStream) -> io::Result<()> {
    while client.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

fn page(status: &str) -> Vec<u8> {
    let length = PAGE.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{PAGE}").into_bytes()
}

/// The answer up to `end`, with a length to fit.
fn shortened(answer: &[u8], body: usize, end: usize) -> Vec<u8> {
    let head = String::from_utf8_lossy(&answer[..body]);
    let lines = head.split_inclusive("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("content-length"));
    let mut whole = lines.collect::<String>().into_bytes();
    whole.splice(first_line_end(&whole), format!("\r\nContent-Length: {}", end - body).into_bytes());
    whole.extend_from_slice(&answer[body..end]);
    whole
}

/// The empty place where a header goes in.
fn first_line_end(message: &[u8]) -> Range<usize> {
    let at = message.windows(2).position(|pair| pair == b"\r\n").unwrap_or(message.len());
    at..at
}

/// The provider's whole answer; when it has none, nobody gets one.
async fn forward(provider: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut provider = TcpStream::connect(provider).await?;
    provider.write_all(request).await?;
    let mut answer = Vec::new();
    let end = head(&mut provider, &mut answer).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    rest(&mut provider, &mut answer, end).await?;
    Ok(answer)
}

/// Reads until the head is there, and says where it ends; `None` when none comes.
async fn head(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<Option<usize>> {
    /// The first byte of a TLS record that greets.
    const GREETING: u8 = 0x16;
    loop {
        if let Some(end) = end_of_head(bytes) {
            return Ok(Some(end));
        }
        if bytes.first() == Some(&GREETING) || stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// Reads the body that the head announces.
async fn rest(stream: &mut TcpStream, bytes: &mut Vec<u8>, head: usize) -> io::Result<()> {
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let whole = head + length.unwrap_or(0);
    while bytes.len() < whole {
        if stream.read_buf(bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}
