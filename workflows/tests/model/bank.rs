//! An attempt at the bank, and what a truthful payer may say of it: the news, or an older word again.

use domain::Time;

/// One attempt at the bank, under one permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Bank {
    /// The payer holds the permit: it may have paid, it may yet pay.
    Handed,
    /// The payer has attested that it will never be used.
    Attested,
    /// The bank does not know yet.
    Pending,
    Paid(Time),
    Failed,
    /// 退票.
    Returned(Time),
}

/// What a payer may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    Paid,
    Failed,
    Unknown,
    Returned,
    Attested,
}

/// What a truthful payer may say: the news, or an older word again.
pub(crate) fn words(bank: Bank) -> &'static [Word] {
    match bank {
        Bank::Handed => &[Word::Paid, Word::Failed, Word::Unknown, Word::Attested],
        Bank::Attested => &[Word::Attested],
        Bank::Pending => &[Word::Paid, Word::Failed, Word::Unknown],
        Bank::Paid(_) => &[Word::Paid, Word::Unknown, Word::Returned],
        Bank::Failed => &[Word::Failed, Word::Unknown],
        Bank::Returned(_) => &[Word::Returned, Word::Paid],
    }
}

/// The attempt as it is when this is said of it.
pub(crate) fn settled(bank: Bank, word: Word, now: Time) -> Bank {
    match (bank, word) {
        (Bank::Handed | Bank::Pending, Word::Paid) => Bank::Paid(now),
        (Bank::Handed | Bank::Pending, Word::Failed) => Bank::Failed,
        (Bank::Handed, Word::Unknown) => Bank::Pending,
        (Bank::Handed, Word::Attested) => Bank::Attested,
        (Bank::Paid(paid_at), Word::Returned) => Bank::Returned(paid_at),
        (_, Word::Paid | Word::Failed | Word::Unknown | Word::Attested | Word::Returned) => bank,
    }
}
