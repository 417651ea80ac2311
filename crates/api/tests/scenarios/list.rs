//! The one list. From each name come a test on SQLite, a test on PostgreSQL, and a line that is printed:
//!
//! ```sh
//! cargo test -p api --test scenarios                          # every one of them, on both databases
//! cargo test -p api --test scenarios the_list -- --nocapture  # which there are
//! ```

use crate::names::{Required, Scenario};
use crate::world::{Db, World};
use crate::{callbacks, confirming, creating, documents, papers, paying, races, signing, statuses, traps, uploads};

/// Tells a story and holds its end against the oracle.
async fn tell<Told: Future<Output = World>>(story: fn(Db) -> Told, db: Db) {
    Box::pin(story(db)).await.end().await;
}

macro_rules! scenarios {
    ($($id:ident $chapter:ident::$name:ident $shows:literal $(later $later:literal)?;)+) => {
        /// Complete, or it does not compile.
        pub(crate) const LIST: Required = Required {
            $($name: Scenario { id: stringify!($id), shows: $shows, later: scenarios!(@later $($later)?) },)+
        };

        mod on_sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { tell($chapter::$name, Db::Sqlite).await; })+
        }

        mod on_postgres {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { tell($chapter::$name, Db::Postgres).await; })+
        }
    };
    (@later) => { None };
    (@later $later:literal) => { Some($later) };
}

scenarios! {
    P01 creating::p01_create_retry_new_request_id "a CREATE lost on the way goes again under the same request id, word for word";
    P02 creating::p02_query_not_found_while_create_in_flight "not found means nothing before the quarantine: one that lies about and a lagging copy";
    P03 creating::p03_create_system_failure_after_apply "0001 and unknown codes are doubts; a printed refusal stands once a query agrees";
    P04 creating::p04_response_signature_bad "an answer that is not signed proves neither success nor failure";
    P05 creating::p05_profit_and_pay_amount_exclusive "net or gross, exactly one of them, on the wire too";
    P06 creating::p06_split_sum_gate "what does not add up is not paid before two persons say so";
    P07 creating::p07_orphan_order_holds_quota "an order whose worker died is found; unwanted, it is cancelled at once and frees the quota";
    P08 creating::p08_month_limit_race_one_person "orders that race for one person's limit: accepted or refused, each tried once";
    P09 creating::p09_task_kind_mismatch_closes "CLOSE with a reason and no remits is a definite rejection";
    P10 creating::p10_request_id_over_32 "request ids fit 32 characters without cutting";
    P11 creating::p11_long_name_with_middle_dot "names are counted in characters, dots are made one, long names are never cut";
    P12 creating::p12_same_person_twice_in_batch "a suspected duplicate waits for a person; a business key is used once, for ever";
    P13 statuses::p13_order_close_four_meanings "order CLOSE is told apart by remits and reason; what nobody printed is parked or in doubt";
    P14 statuses::p14_remit_process_unlisted "PROCESS and REMIT both mean that the levy runs";
    P15 statuses::p15_remit_close_three_meanings "remit CLOSE is levied, cancelled or auto-closed by our own evidence, or a person's";
    P16 statuses::p16_order_process_is_not_paying "order PROCESS is splitting in our words, and nothing can be paid";
    P17 statuses::p17_stale_callback_after_newer_query "no old callback and no old copy lowers a belief";
    P18 statuses::p18_retries_exhausted_stays_in_doubt "looking never stops, and running out of tries is no failure";
    P19 paying::p19_deadline_without_evidence "no clock confirms: unpaid is cancelled at pay_cutoff, unknown is a person's";
    P20 paying::p20_72h_counted_from_first_send "D counts from the first send that may have arrived";
    P21 paying::p21_friday_evening_before_holiday "the bank's calendar closes the pay gate early enough, or the order is warned of";
    P22 paying::p22_bank_timeout_then_success "a silent bank is a doubt: same number, no second permit, no cancel";
    P23 paying::p23_in_doubt_payout_reaches_deadline "a payout in doubt at D is held, and people are told in time";
    P24 paying::p24_confirm_is_not_a_user_verb "people bring evidence, two of them; only the engine confirms";
    P25 paying::p25_confirm_reply_lost "a lost answer is found out; a lost CONTINUE goes again, identical, after quarantine";
    P26 paying::p26_continue_and_cancel_race "workers and operators race, and one direction is decided, once";
    P27 paying::p27_cancel_while_permit_out "no CANCEL while a permit is out, nor because it expired";
    P28 paying::p28_pay_on_stale_remit "a permit needs a live look, and a closed remit is found by it";
    P29 paying::p29_two_permits_one_remit "one live permit; the next only after the bank's final failure";
    P30 confirming::p30_arising_time_is_bank_time "arising_time is the bank's success time, however late it is reported";
    P31 confirming::p31_month_edge_utc_host "the tax month is Beijing's; the guard holds creation and permits";
    P32 confirming::p32_cancel_needs_arising_time "CANCEL carries its decision's time, and the quota comes back";
    P33 confirming::p33_bank_return_after_levy "a return after the levy is an incident: nothing is undone or levied again"
        later "reconciliation: paying again on the same remit needs the repay object";
    P34 confirming::p34_close_notice_races_continue "a notice during CONTINUE flips nothing; the CLOSE after it is a person's";
    P35 confirming::p35_confirm_lands_after_72h "past D the live word decides, with a case beside it";
    P36 confirming::p36_paused_worker_sends_late "a worker that was paused sends nothing when it wakes";
    P37 confirming::p37_voucher_obligation_blocks_close "a payment owes its voucher by a day: attached with the report or after it, asked for when late or refused"
        later "reconciliation: the month that it keeps open";
    P38 callbacks::p38_crash_between_ack_and_commit "durable first, acknowledged then; what was acknowledged survives the process";
    P39 callbacks::p39_concurrent_duplicate_callbacks "copies at once are one letter, and one effect";
    P40 callbacks::p40_callback_before_create_response "a result before its CREATE's answer finds its order; a stranger's is kept and told";
    P41 callbacks::p41_close_notice_ambiguous_location "a notice is mapped by request id and place, or else everybody looks";
    P42 callbacks::p42_callbacks_muted "the schedule alone ends every order";
    P43 callbacks::p43_forged_registration_callback "a callback that proves nothing has no effect, and one that does only makes us ask"
        later "registration: the same of the registration provider's callbacks, which prove nothing even when they verify";
    P44 callbacks::p44_ack_bytes_exact "the acknowledgement is SUCCESS, byte for byte";
    P45 callbacks::p45_form_plus_and_raw_req "the form is decoded once, and the signature is over the decoded bytes";
    P46 callbacks::p46_callback_flood_after_outage "a flood is kept whole, and each order asks once";
    P47 signing::p47_sync_sign_silent_failure "nobody signs and nobody says so: it ends by the clock, and a person invites again";
    P48 signing::p48_un_sign_before_24h "UN_SIGN is not yet before 24 hours and the grace, and no second contract is made";
    P49 signing::p49_already_signed_no_callback "who has signed before is signed at once";
    P50 signing::p50_sign_up_without_request_id "one application per person and party, identical when it goes again";
    P51 signing::p51_batch_501_and_missing_row "looks share calls of 500, each under a new number, and a refused batch is halved";
    P56 documents::p56_size_limit_base64_basis "an account that counts base64 gets pictures that fit so, and larger PDFs are refused";
    P57 documents::p57_recompress_below_legibility_floor "what could not be read goes to a person, who hears why, and the original is kept";
    P61 documents::p61_existing_image_reports_success "success at once is the old picture: looked at, told apart, and no renewal";
    P62 documents::p62_image_status_null_literal "NULL is a word: a sign-up comes first, and then it goes on";
    P63 documents::p63_agreement_retry_duplicate_contract_id "a lost agreement goes again under its own number, and silence goes to a person";
    P64 documents::p64_large_upload_lane_bounded "large files go two at once beside the orders, the same bytes each time, and lie in no row";
    P66 documents::p66_status_false_string "FALSE and FAIL are rejections, at once and later, with their reason";
    T01 traps::t01_req_object_not_array "req is an object, both ways";
    T02 traps::t02_close_reason_two_spellings "close_reason and Close_reason are one notice";
    T03 traps::t03_ids_as_number_or_string "ids as numbers and text, beyond what a machine word holds";
    T04 traps::t04_timestamp_seconds_or_millis "milliseconds out, both in, as Beijing time";
    T05 traps::t05_request_id_vs_order_id "orders by our id, remits by the provider's";
    T06 traps::t06_hmac_algorithm_per_account "the algorithm belongs to the account";
    T07 traps::t07_gson_escaped_equals "the received bytes are verified, and never written anew";
    T08 traps::t08_fail_and_false "uploads are refused with FAIL and with FALSE, in callbacks and in answers";
    R01 races::race_no_permit_ever_and_close "no permit ever, closed: auto_closed_unpaid";
    R02 races::race_permit_out_and_close_notice "permit out, notice: in doubt with a case, until the bank's final word";
    R03 races::race_evidence_unsent_and_close_notice "evidence, notice: ask; ACCEPT sends, past D with a case; CLOSE does not";
    R04 races::race_continue_in_doubt_and_close_notice "CONTINUE in doubt, notice: what is shown decides, or people";
    R05 races::race_continue_acknowledged_and_close_notice "CONTINUE acknowledged, notice: a contradiction for people";
    R06 races::race_cancel_sent_and_close_notice "CANCEL, notice: consistent";
    R07 races::race_paid_undecided_and_bank_return "paid, returned: revoked; open again, or cancelled";
    R08 races::race_confirming_and_bank_return "confirming or levying, returned: an incident, no automatic move";
    R09 races::race_levied_and_bank_return "levied, returned: an incident, no second levy"
        later "reconciliation: the repay object";
    R10 races::race_undecided_and_close_without_notice "a close whose notice was lost is as if it had come";
    E01 papers::e01_paid_is_levied "paid: the engine confirms, and the bypass stays noted until two persons close it";
    E02 papers::e02_not_paid_lets_the_remit_go "not paid: it held the cancellation for a day, and no longer";
    E03 papers::e03_returned_before_the_second_person "paid and returned meanwhile: the yes is not taken, and the remit is cancelled when due";
    E04 papers::e04_a_doubt_ends_by_the_right_paper "in doubt: a paper that proves nothing says nothing, the right one ends it";
    E05 papers::e05_a_paper_overtaken_by_the_payers_report "reported meanwhile: the same payment adds nothing, a second one is an incident";
    E06 papers::e06_returned_before_the_decision "paid, then returned before CONTINUE: open again, and payable at once";
    E07 papers::e07_returned_after_the_levy "paid, levied, then returned: one incident, closed by two persons";
    E08 papers::e08_a_closed_payment_is_explained_by_two_persons "closed although paid: what two persons settled outside is an end";
    D01 documents::d01_muted_callbacks_are_found_by_query "without callbacks the pictures' queries find how they were judged";
    D02 documents::d02_copies_and_forgeries_change_nothing "what is forged, foreign, copied or late moves no paper";
    D03 documents::d03_a_lost_worker_leaves_one_paper "a worker that dies in the call: found by a query, or identical again";
    D04 uploads::d04_a_photo_of_twelve_megapixels "a large photo is brought within the limit, and can still be read";
    D05 uploads::d05_a_sideways_photo_stands_up "it arrives upright, and without where it was taken";
    D06 uploads::d06_a_video_up_to_its_limit "14.9 MB are taken, 15.1 MB are refused with what to do";
    D07 uploads::d07_a_file_is_what_its_content_says "a renamed, locked, cut off or empty file is refused with what it is";
    G01 signing::g01_waits_for_the_signature_and_resumes "an order waits for its person's signature, invites once, and goes on by itself";
    G02 signing::g02_outlasts_a_failed_invitation "a failed invitation stops nothing for ever: the next one lets the order go";
    G03 signing::g03_waits_for_the_id_card_and_resumes "after the signature an order waits for the ID card at the provider, says what is wrong with it, and goes on by itself";
    G04 signing::g04_waits_for_the_next_month_over_the_limit "over a person's monthly limit an order waits for the next month, or for a person's release";
}

#[test]
fn the_list() {
    let all = LIST.all();
    let wanted: Vec<String> = (1..=51)
        .chain([56, 57, 61, 62, 63, 64, 66])
        .map(|n| format!("P{n:02}"))
        .chain((1..=8).map(|n| format!("T{n:02}")))
        .chain((1..=10).map(|n| format!("R{n:02}")))
        .chain((1..=8).map(|n| format!("E{n:02}")))
        .chain((1..=7).map(|n| format!("D{n:02}")))
        .chain((1..=4).map(|n| format!("G{n:02}")))
        .collect();
    assert_eq!(all.iter().map(|(_, scenario)| scenario.id).collect::<Vec<_>>(), wanted, "every id, in order, once");
    for (name, Scenario { id, shows, later }) in &all {
        let told = id.to_lowercase();
        assert!(name.starts_with(&told) || (id.starts_with('R') && name.starts_with("race_")), "{id} is {name}");
        println!("{id}  {name:<46} {shows}");
        later.iter().for_each(|later| println!("     {:<46} later: {later}", ""));
    }
    let later = all.iter().filter(|(_, scenario)| scenario.later.is_some()).count();
    println!("{} scenarios on two databases; of {later} a part comes later", all.len());
}
