//! Callback bodies: as they come nothing is taken, and well signed nothing panics.
#![no_main]

mod account;

use libfuzzer_sys::fuzz_target;
use providers::{Exchanging, Peer, Providers, Transport, WireFault, WireRequest};
use std::sync::{Arc, LazyLock};

struct Nobody;

impl Peer for Nobody {
    fn exchange<'a>(&'a self, _: &'a WireRequest) -> Exchanging<'a> {
        Box::pin(std::future::ready(Err(WireFault::NotSent)))
    }
}

static PROVIDERS: LazyLock<Providers> = LazyLock::new(|| account::providers(Transport::Local(Arc::new(Nobody))));

fuzz_target!(|bytes: &[u8]| {
    let taken = PROVIDERS.receive(account::ACCOUNT, None, bytes);
    assert!(taken.is_err(), "nobody who lacks the secret is heard");
    let Ok(req) = std::str::from_utf8(bytes) else { return };
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("req", req).append_pair("sign", &account::sign(bytes));
    if let Ok(received) = PROVIDERS.receive(account::ACCOUNT, None, form.finish().as_bytes()) {
        assert!(!received.ack.is_empty());
    }
});
