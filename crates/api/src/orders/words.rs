//! Events of the process book in plain English, for people who read a timeline.

/// What happened, in words. A name that is not here prints as it is: a newer program's history is still readable.
pub(super) fn of(event: &str) -> &str {
    match event {
        // Orders.
        "Submitted" | "submit" => "was asked for",
        "Hinted" => "a callback asked us to look",
        "ReleaseAsked" => "a person let it go",
        "CancelAsked" => "its cancellation was asked for",
        "Required" => "what it needs was asked for",
        "Met" => "something that it needs is there",
        "Unmet" => "something that it needs has failed",
        "RemitDone" => "one of its remits ended",
        "CaseResolved" => "a case was resolved",
        "Created" => "the provider accepted it",
        "CreateRefused" => "the provider refused it; one look will confirm that",
        "CreateUnsure" => "nobody knows whether the provider has it",
        "GateOpened" => "its gates are open, CREATE may be sent",
        "Held" => "a guard holds it for a person",
        "NameTooLong" => "the name is longer than the provider takes",
        "Watched" => "was looked after",
        // Both.
        "Seen" => "the provider showed its order",
        "Absent" => "the provider showed no such order",
        "LookFailed" => "a look at the provider failed",
        "Disproved" => "twice shown not to have arrived, it may be sent once more",
        "WorkerLost" => "its worker was lost, so a call may have been sent",
        "Parked" => "was parked for a person",
        // Remits.
        "PermitAsked" => "a payer asked whether it may be paid",
        "Instructed" => "the bank was instructed",
        "PaidReported" => "the payer reported it paid",
        "FailedReported" => "the payer reported that the payment failed",
        "UnknownReported" => "the payer reported that the bank does not know",
        "ReturnedReported" | "PaymentReturned" => "the payer reported that the bank returned the payment",
        "Attested" => "the payer attested that it was not paid",
        "QuoteAccepted" => "two persons accepted the split",
        "NoticeSeen" => "a close notice asked us to look",
        "HintSeen" => "a callback asked us to look",
        "Acknowledged" => "the provider acknowledged the decision",
        "DecisionRefused" => "the provider refused the decision",
        "DecisionUnsure" => "nobody knows whether the decision arrived",
        "PayCutoffReached" => "its pay_cutoff passed",
        "PermitExpired" => "its permit expired unreported",
        "CancelDecided" => "CANCEL was decided",
        "Told" => "a person was told",
        other => other,
    }
}

/// A whole sentence for one transition.
pub(super) fn transition(event: &str, from: &str, to: &str) -> String {
    if from == to || from.is_empty() {
        format!("{} ({to})", of(event))
    } else {
        format!("{}: {from} → {to}", of(event))
    }
}

/// What a letter says before a turn has read it.
pub(super) fn letter(event: &serde_json::Value) -> String {
    let name = event
        .as_str()
        .map(str::to_owned)
        .or_else(|| event.as_object().and_then(|object| object.keys().next().cloned()));
    name.map_or_else(|| "a message arrived".to_owned(), |name| format!("a message arrived: {}", of(&name)))
}
