//! The names that must be there: every pitfall P01–P51, those of papers, every decoding trap that concerns orders, remits, callbacks and money
//! (T01–T08; T09–T15 are the codecs of registration and attachments), every row of the race table (safety.md §8), and every answer to
//! evidence that people bring (E01–E08, safety.md §6, §11); what people upload (D01–D07), and the gates of an
//! order (G01 to G04, safety.md §9).
//!
//! They are the fields of one struct, so that a list without one of them, or with one too many, does not compile.

/// One entry of the list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// `P01`, `T01`, or the row of the race table.
    pub(crate) id: &'static str,
    pub(crate) shows: &'static str,
    /// What cannot be shown yet, and which area brings it.
    pub(crate) later: Option<&'static str>,
}

macro_rules! required {
    ($($name:ident)+) => {
        /// A list that is complete.
        pub(crate) struct Required {
            $(pub(crate) $name: Scenario,)+
        }

        impl Required {
            /// By name, in the order of the documents.
            pub(crate) fn all(&self) -> Vec<(&'static str, Scenario)> {
                vec![$((stringify!($name), self.$name)),+]
            }
        }
    };
}

required! {
    // Creating the levy order.
    p01_create_retry_new_request_id
    p02_query_not_found_while_create_in_flight
    p03_create_system_failure_after_apply
    p04_response_signature_bad
    p05_profit_and_pay_amount_exclusive
    p06_split_sum_gate
    p07_orphan_order_holds_quota
    p08_month_limit_race_one_person
    p09_task_kind_mismatch_closes
    p10_request_id_over_32
    p11_long_name_with_middle_dot
    p12_same_person_twice_in_batch
    // Statuses that lie.
    p13_order_close_four_meanings
    p14_remit_process_unlisted
    p15_remit_close_three_meanings
    p16_order_process_is_not_paying
    p17_stale_callback_after_newer_query
    p18_retries_exhausted_stays_in_doubt
    // Pay, confirm, deadline.
    p19_deadline_without_evidence
    p20_72h_counted_from_first_send
    p21_friday_evening_before_holiday
    p22_bank_timeout_then_success
    p23_in_doubt_payout_reaches_deadline
    p24_confirm_is_not_a_user_verb
    p25_confirm_reply_lost
    p26_continue_and_cancel_race
    p27_cancel_while_permit_out
    p28_pay_on_stale_remit
    p29_two_permits_one_remit
    p30_arising_time_is_bank_time
    p31_month_edge_utc_host
    p32_cancel_needs_arising_time
    p33_bank_return_after_levy
    p34_close_notice_races_continue
    p35_confirm_lands_after_72h
    p36_paused_worker_sends_late
    p37_voucher_obligation_blocks_close
    // Callbacks.
    p38_crash_between_ack_and_commit
    p39_concurrent_duplicate_callbacks
    p40_callback_before_create_response
    p41_close_notice_ambiguous_location
    p42_callbacks_muted
    p43_forged_registration_callback
    p44_ack_bytes_exact
    p45_form_plus_and_raw_req
    p46_callback_flood_after_outage
    // Sign-ups.
    p47_sync_sign_silent_failure
    p48_un_sign_before_24h
    p49_already_signed_no_callback
    p50_sign_up_without_request_id
    p51_batch_501_and_missing_row

    // Papers.
    p56_size_limit_base64_basis
    p57_recompress_below_legibility_floor
    p61_existing_image_reports_success
    p62_image_status_null_literal
    p63_agreement_retry_duplicate_contract_id
    p64_large_upload_lane_bounded
    p66_status_false_string
    // Decoding traps.
    t01_req_object_not_array
    t02_close_reason_two_spellings
    t03_ids_as_number_or_string
    t04_timestamp_seconds_or_millis
    t05_request_id_vs_order_id
    t06_hmac_algorithm_per_account
    t07_gson_escaped_equals
    t08_fail_and_false
    // The race table, row by row.
    race_no_permit_ever_and_close
    race_permit_out_and_close_notice
    race_evidence_unsent_and_close_notice
    race_continue_in_doubt_and_close_notice
    race_continue_acknowledged_and_close_notice
    race_cancel_sent_and_close_notice
    race_paid_undecided_and_bank_return
    race_confirming_and_bank_return
    race_levied_and_bank_return
    race_undecided_and_close_without_notice
    // Evidence that people bring.
    e01_paid_is_levied
    e02_not_paid_lets_the_remit_go
    e03_returned_before_the_second_person
    e04_a_doubt_ends_by_the_right_paper
    e05_a_paper_overtaken_by_the_payers_report
    e06_returned_before_the_decision
    e07_returned_after_the_levy
    e08_a_closed_payment_is_explained_by_two_persons

    // Papers without their callbacks, with too many, and after a crash; and what people upload.
    d01_muted_callbacks_are_found_by_query
    d02_copies_and_forgeries_change_nothing
    d03_a_lost_worker_leaves_one_paper
    d04_a_photo_of_twelve_megapixels
    d05_a_sideways_photo_stands_up
    d06_a_video_up_to_its_limit
    d07_a_file_is_what_its_content_says

    // What an order waits for.
    g01_waits_for_the_signature_and_resumes
    g02_outlasts_a_failed_invitation g03_waits_for_the_id_card_and_resumes
    g04_waits_for_the_next_month_over_the_limit
}
