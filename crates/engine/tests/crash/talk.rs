//! What the world and the process that will be killed say to each other: one JSON value a line, over a socket that closes with the
//! process.

use domain::{InstanceId, Money, Time};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

/// The world asks, at a business time of its clock. Whoever gets no answer asks the same again: nothing may happen twice by that.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) now: Time,
    pub(crate) ask: Ask,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// The client submits the order of the story; one that this program cannot read, where it says so.
    Submit { net: Money, readable: bool },
    /// Time has passed: whatever is due.
    Work,
    /// The payer asks for a permit, under its key.
    Permit { remit: InstanceId, key: String },
    /// The payer or the client tells a remit something, under its key.
    Tell { remit: InstanceId, key: String, event: Value },
    /// The provider calls back.
    Callback { body: String },
    /// How the order and its remits stand.
    Look,
    /// Whether every promise holds.
    Judge,
}

/// The process says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// A request for the provider has left and arrives.
    Request(Wire),
    /// It is to be carried out, and answered.
    CarryOut,
    /// An answer to what the world asked.
    Answer(Value),
    /// Last words.
    Dying { point: String },
}

/// One request to the provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Wire {
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// What the provider answers; nothing where the answer is lost.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// How an order and its remits stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) order: String,
    pub(crate) outcome: Value,
    pub(crate) remits: Vec<RemitStanding>,
    /// When something is due by itself.
    pub(crate) wake: Option<Time>,
}

/// Whether every promise holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) limbo: i64,
    /// Safety audits that found something.
    pub(crate) audits: Vec<String>,
    pub(crate) cases: usize,
    /// Histories whose chain does not hold.
    pub(crate) torn: usize,
    /// Callbacks that are stored.
    pub(crate) callbacks: usize,
    /// Points passed by this process, in order.
    pub(crate) passed: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RemitStanding {
    pub(crate) id: InstanceId,
    pub(crate) provider_order_id: String,
    pub(crate) location: String,
    pub(crate) amount: Money,
    pub(crate) state: String,
    /// How the voucher stands that its payment owes.
    pub(crate) voucher: Option<String>,
}

/// One end of the socket.
pub(crate) struct Line {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Line {
    pub(crate) fn over(stream: UnixStream) -> Self {
        let writer = stream.try_clone().expect("a socket has two ends");
        Self { reader: BufReader::new(stream), writer }
    }

    /// Whether the other end is still there.
    pub(crate) fn say(&mut self, words: &impl Serialize) -> bool {
        let mut line = serde_json::to_vec(words).expect("plain values");
        line.push(b'\n');
        self.writer.write_all(&line).is_ok()
    }

    /// Nothing once the other end is gone.
    pub(crate) fn hear<T: DeserializeOwned>(&mut self) -> Option<T> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line).unwrap_or(0);
        (read > 0 && line.ends_with('\n')).then(|| serde_json::from_str(&line).expect("one of our words"))
    }
}
