//! Answers, well signed: whatever a provider says, the verdict is one; and nothing is done that the answer does not name.
#![no_main]

mod account;

use domain::levy::NextStep;
use domain::{ProviderOrderId, Request, RequestId, Time, Verdict};
use libfuzzer_sys::fuzz_target;
use providers::{Ask, Exchanging, Peer, Providers, Transport, WireAnswer, WireFault, WireRequest};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Says what it is given.
#[derive(Default)]
struct Parrot(Mutex<Vec<u8>>);

impl Peer for Parrot {
    fn exchange<'a>(&'a self, _: &'a WireRequest) -> Exchanging<'a> {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let headers = vec![("Api-Sign".to_owned(), account::sign(&body))];
        Box::pin(std::future::ready(Ok(WireAnswer { status: 200, headers, body })))
    }
}

static PARROT: LazyLock<Arc<Parrot>> = LazyLock::new(Arc::default);
static PROVIDERS: LazyLock<Providers> = LazyLock::new(|| account::providers(Transport::Local(PARROT.clone())));
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
});
static REQUESTS: LazyLock<[Request; 2]> = LazyLock::new(|| {
    let request_id = RequestId::try_from("R1".to_owned()).expect("an id");
    let order_id = ProviderOrderId::try_from("O1".to_owned()).expect("an id");
    let arising_time = Time::from_millis(1_767_574_800_000);
    [
        Request::FindOrder { request_id, person: Default::default() },
        Request::DecideRemit { order_id, next_step: NextStep::Continue, arising_time },
    ]
});

fuzz_target!(|bytes: &[u8]| {
    *PARROT.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes.to_vec();
    for request in &*REQUESTS {
        let ask = Ask {
            account: account::ACCOUNT,
            request,
            person: None,
            now: Time::from_millis(1_767_574_800_000),
            timeout: Duration::from_secs(1),
            gate: &|| true,
        };
        let verdict = RUNTIME.block_on(PROVIDERS.call(ask)).verdict;
        if let Verdict::Done(_) | Verdict::Refused(_) = verdict {
            assert!(serde_json::from_slice::<serde_json::Value>(bytes).is_ok(), "what is no JSON decides nothing");
        }
    }
});
