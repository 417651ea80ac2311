//! Rows broken on purpose, as raw SQL breaks them in the databases: what a bug of this store would leave behind.

use super::World;
use crate::suite::Sound;
use domain::{InstanceId, Time};
use serde_json::json;
use uuid::Uuid;

impl World {
    #[expect(clippy::too_many_lines, reason = "a table: one arm per way to break a row")]
    pub(crate) fn break_row(&mut self, what: &str, sound: &Sound) {
        let Sound { paid, permit, proof, cancelled, closed, explained, sent, rests, waits, .. } = sound;
        let second = |id: &InstanceId| (*id, 2);
        let other = Uuid::new_v4();
        match what {
            "evidence of another amount" => {
                self.evidence.change(proof, |row| row.evidence.amount = domain::Money::from_fen(1).unwrap());
            }
            "a fee that does not add up" => {
                self.machines.change(paid, |machine| machine.row.input["sum_fee"] = json!("3.51"));
            }
            "a split that does not add up" => {
                self.machines.change(paid, |machine| machine.row.input["amount"] = json!("100.01"));
                self.evidence.change(proof, |row| row.evidence.amount = domain::Money::from_fen(10_001).unwrap());
            }
            "a remit without a person" => {
                self.machines.change(paid, |machine| machine.row.person = None);
            }
            "a remit of another person" => {
                self.machines.change(paid, |machine| machine.row.input["person"] = json!("somebody"));
            }
            "a report for another payee" => {
                let detail = json!({ "PaidReported": { "bank_serial": "serial", "payee_ok": false } });
                self.history.change(&second(paid), |entry| entry.line.detail = detail);
            }
            "another arising time" => {
                self.decisions.change(paid, |decision| decision.arising_time = Time::from_millis(7));
            }
            "an arising time in the future" => {
                let later = |at: Time| at + std::time::Duration::from_secs(60);
                self.evidence.change(proof, |row| row.evidence.paid_at = later(row.evidence.paid_at));
                self.decisions.change(paid, |decision| decision.arising_time = later(decision.arising_time));
            }
            "a line from elsewhere" => {
                self.history.change(&second(paid), |entry| entry.line.from = "elsewhere".into());
            }
            "a state without its line" => {
                self.machines.change(paid, |machine| machine.row.state_name = "elsewhere".into());
            }
            "a move by a callback" => {
                self.history.change(&second(paid), |entry| entry.line.cause = "callback".into());
            }
            "an unpaid remit never cancelled" => self.decisions.remove(cancelled),
            "a payment never confirmed" => {
                self.machines.change(paid, |machine| machine.row.state_name = "paid".into());
            }
            "a close that nobody was told of" => self.cases.remove(explained),
            "an explanation by one person" => {
                self.cases.change(explained, |case| case.approved_by = None);
            }
            "an explanation of something else" => {
                self.cases.change(explained, |case| case.open.kind = "payment_without_permit".into());
            }
            "an explanation before the payment" => {
                let of_it = self.evidence.values().find(|row| row.evidence.remit == *closed);
                let id = of_it.unwrap().evidence.id;
                let late = Time::from_millis(of_it.unwrap().evidence.at.millis() + 3000);
                self.evidence.change(&id, |row| row.evidence.at = late);
            }
            "an explanation of what is not over" => {
                self.machines.change(closed, |machine| machine.row.state_name = "paid".into());
            }
            "an outbox row gone" => {
                self.machines.change(paid, |machine| machine.emitted = 3);
            }
            "a rest nobody was told of" => {
                self.outbox.change(&(*rests, 1), |(topic, _)| *topic = "moved".into());
            }
            "an act rewritten" => {
                self.audit.change(&("acme".to_owned(), 1), |(act, _)| act.what = "nothing".into());
            }
            "one person approving alone" => {
                let case = crate::suite::office::case("k");
                self.put_case(*paid, "w", "acme", &case);
                self.cases.change(&case.id, |entry| entry.approved_by = Some("li".into()));
            }
            "a later cut-off" => self.copy_permit(permit, other, |row| {
                row.pay_cutoff = row.pay_cutoff + std::time::Duration::from_secs(1);
                row.state = "final_failed".into();
            }),
            "evidence revoked" => {
                self.evidence.change(proof, |row| row.revoked_at = Some(Time::from_millis(9)));
            }
            "a payout in doubt" => {
                self.permits_by_remit.put((*cancelled, *permit), ());
                self.permits.change(permit, |entry| {
                    (entry.row.permit.remit, entry.row.permit.state) = (*cancelled, "in_doubt".into());
                });
            }
            "a decision before its permit" => {
                self.decisions.change(paid, |decision| decision.at = Time::from_millis(1));
            }
            "two successes" => self.copy_permit(permit, other, |_| {}),
            "a revision of a cancel" => {
                let decision = self.decisions.get(cancelled).unwrap().clone();
                self.revisions.put(*cancelled, decision);
            }
            "a machine gone" => {
                let first = self.history.get(&(*paid, 1)).unwrap().clone();
                self.history.put((InstanceId(other), 1), first);
            }
            "a machine under another name" => {
                self.machines.change(paid, |machine| machine.row.business_key = "other".into());
            }
            "a letter gone" => {
                let id = self.mail_of(*waits).next().unwrap().letter.id;
                self.inbox.remove(&id);
            }
            "a letter nobody will read" => {
                self.machines.change(waits, |machine| machine.row.wake_at = None);
            }
            "a send inside the quarantine" => {
                let (key, last) = self.calls(*sent).pop().unwrap();
                self.exchanges.remove(&key);
                let early = key.1 - std::time::Duration::from_secs(163);
                self.exchanges.put((key.0, early, key.2), last);
            }
            "a send after one look" => {
                let (key, _) = self.calls(*sent).swap_remove(1);
                self.exchanges.remove(&key);
            }
            "a send after a takeover" => {
                let at = self.calls(*sent)[2].0.1;
                self.history.change(&second(sent), |entry| (entry.line.cause, entry.line.at) = ("takeover".into(), at));
            }
            "a line rewritten" => {
                self.history.change(&second(paid), |entry| entry.line.event = "x".into());
            }
            other => panic!("nobody knows how to break {other}"),
        }
    }

    fn copy_permit(&mut self, permit: &Uuid, id: Uuid, change: impl FnOnce(&mut domain::record::Permit)) {
        let mut copy = self.permits.get(permit).unwrap().clone();
        (copy.row.permit.id, copy.row.permit.attempt) = (id, 2);
        change(&mut copy.row.permit);
        self.permits_by_remit.put((copy.row.permit.remit, id), ());
        self.permits.put(id, copy);
    }

    fn calls(&self, id: InstanceId) -> Vec<((InstanceId, Time, Uuid), crate::Exchange)> {
        let of = self.exchanges.iter().filter(|((of, ..), _)| *of == id);
        of.map(|(key, exchange)| (*key, exchange.clone())).collect()
    }
}
