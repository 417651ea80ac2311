//! The voucher (付款凭证) that a proved payment owes (P37): the duty begins with the evidence, and a paper goes on its way when it comes.

use super::Remit;
use super::facts::Input;
use crate::document::Brought;
use crate::machine::Cx;
use crate::voucher;
use domain::record::Write;

impl Remit {
    /// The payment that has just been proved owes a voucher, where the account asks for them.
    pub(super) fn owe_voucher(&mut self, input: &Input, cx: &Cx<'_>) -> Option<Write> {
        let (proof, days) = (self.facts.proof.as_mut()?, cx.policy.voucher_days?);
        let (id, started) = voucher::owe(proof.evidence, &input.provider_order_id, days, cx);
        proof.voucher = Some(id);
        Some(started)
    }

    /// A paper shows a payment that is proved, by this very report; any other stays where it was uploaded.
    pub(super) fn bring(&self, voucher: Brought, bank_serial: &str, input: &Input, cx: &Cx<'_>) -> Option<Write> {
        let proof = self.facts.proof.as_ref().filter(|proof| proof.bank_serial == bank_serial)?;
        Some(voucher.start(&input.provider_order_id, proof.voucher, cx))
    }
}
