"""The catalogue of bad inputs and faults that the gateway must stand, and the tests that try each one.

A row is a kind of fault, and its tests try its neighbours as well. A test is named by its file and its function.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # it reads the code and runs none of it
TESTS = Path(__file__).parents[1]

CATALOGUE: dict[str, tuple[str, ...]] = {
    "T-01 connects and sends nothing": (
        "bridge/delivery/test_script_delivery.py::test_a_peer_that_waits_is_greeted_and_shown_the_last_twenty_with_the_time",
        "tcp/test_listener.py::test_accepted_sockets_have_the_options_of_their_listener",
    ),
    "T-02 connects and resets at once": (
        "bridge/delivery/test_script_delivery.py::test_a_thousand_resets_leave_nothing_behind",
        "tcp/test_listener.py::test_peers_that_reset_before_they_are_accepted_do_no_harm",
    ),
    "T-04 lines at and over the limit": (
        "bridge/wire/test_bad_input.py::test_a_line_has_its_limit_and_what_is_over_is_told_once_and_skipped",
        "tcp/test_lines.py::test_line_over_the_limit_is_told_once_and_skipped_wherever_it_is_cut",
    ),
    "T-05 half-close after whole lines": (
        "bridge/delivery/test_script_delivery.py::test_after_the_half_close_the_room_is_read_up_to_the_own_last_message",
        "bridge/delivery/test_script_delivery.py::test_a_piped_line_arrives_once_and_the_program_ends_well",
    ),
    "T-06 half-close after half a line": (
        "tcp/connection/test_connection.py::test_after_half_close_all_it_sent_is_said_and_the_connection_closed",
    ),
    "T-07 100 MB without a newline": (
        "bridge/wire/test_bad_input.py::test_megabytes_without_an_end_of_line_cost_one_error_and_no_memory",
        "tcp/test_lines.py::test_100_mb_without_an_end_are_one_event_and_no_memory",
    ),
    "T-08 a million empty lines": ("bridge/wire/test_bad_input.py::test_empty_lines_are_ignored",),
    "T-10 a character in two packets": (
        "bridge/delivery/test_one_room.py::test_a_slow_character_comes_out_whole",
        "bridge/wire/test_bad_input.py::test_a_line_that_comes_in_two_pieces_cut_anywhere_is_said_once",
    ),
    "T-11 invalid UTF-8": (
        "bridge/wire/test_bad_input.py::test_bytes_that_are_no_clean_text_become_clean_text",
        "core/text/test_sanitize.py::test_bad_utf8_becomes_replacement_characters",
    ),
    "T-13 NUL and other controls": (
        "bridge/wire/test_terminal_bytes.py::test_telnet_and_controls_leave_the_words",
        "test_any_input.py::test_what_a_terminal_types",
    ),
    "T-14 never reads": (
        "bridge/delivery/test_readers.py::test_stalled_readers_cost_the_others_nothing_and_are_told_what_they_missed",
        "tcp/connection/test_connection.py::test_a_stuck_reader_delays_nobody_and_is_not_cut",
    ),
    "T-16 stops reading for a while": (
        "tcp/connection/test_connection.py::test_ctrl_s_for_a_while_loses_nothing_that_the_log_holds",
        "core/test_hub.py::test_a_reader_that_was_stuck_rejoins_the_others",
    ),
    "T-17 HTTP at a terminal door": (
        "bridge/wire/test_bad_input.py::test_a_browser_at_a_terminal_door_is_shown_the_page",
        "tcp/test_wrong_door.py::test_another_protocol_cut_at_every_byte_is_answered_and_not_said",
    ),
    "T-19 a PROXY header from nobody we know": (
        "bridge/wire/test_terminal_bytes.py::test_a_peer_cannot_choose_its_own_address",
        "bridge/proxies/test_proxies.py::test_no_other_peer_can_introduce_itself",
    ),
    "T-20 a peer that vanishes": (
        "tcp/test_listener.py::test_accepted_sockets_have_the_options_of_their_listener",
        "web/websocket/test_websocket.py::test_silence_after_a_ping_is_4012",
    ),
    "T-22 connections in a storm": (
        "bridge/wire/test_terminal_bytes.py::test_hundreds_of_connections_in_a_row_are_let_go",
        "tcp/test_listener.py::test_one_round_accepts_a_bounded_number",
    ),
    "T-23 the seventeenth connection of an address": (
        "bridge/proxies/test_proxies.py::test_the_seventeenth_of_an_address_is_refused_with_one_line",
        "core/test_connection_limits.py::test_an_ipv6_network_counts_as_one_address",
    ),
    "T-25 coming and going all the time": (
        "bridge/wire/test_terminal_bytes.py::test_constant_joining_and_leaving_is_news_once_a_second",
        "core/rooms/test_presence.py::test_lists_of_members_are_right_again_when_a_crowd_is_over",
    ),
    "T-26 sends and closes at once": (
        "bridge/wire/test_terminal_bytes.py::test_what_was_sent_before_closing_at_once_is_said_and_half_a_line_is_not",
        "tcp/connection/test_connection.py::test_half_a_line_before_a_reset_is_not_said",
    ),
    "N-01 the window's size": ("bridge/wire/test_terminal_bytes.py::test_telnet_and_controls_leave_the_words",),
    "N-02 a command cut in two": (
        "bridge/wire/test_terminal_bytes.py::test_telnet_and_controls_leave_the_words",
        "tcp/connection/test_connection.py::test_telnet_commands_cut_at_every_byte_leave_the_line_whole",
        "test_any_input.py::test_telnet",
    ),
    "N-04 a subnegotiation without end": (
        "bridge/wire/test_terminal_bytes.py::test_a_subnegotiation_without_end_is_closed_and_not_kept",
        "tcp/telnet/test_parser.py::test_subnegotiation_without_end_is_a_violation_and_nothing_is_kept",
    ),
    "N-05 LINEMODE's table, an environment": (
        "bridge/wire/test_terminal_bytes.py::test_telnet_and_controls_leave_the_words",
        "tcp/telnet/test_parser.py::test_subnegotiation_nobody_agreed_to_is_dropped",
    ),
    "N-06 a loop of negotiation": (
        "bridge/wire/test_terminal_bytes.py::test_a_flood_of_telnet_commands_is_answered_with_little",
        "tcp/telnet/test_parser.py::test_endless_negotiation_of_a_wanted_option_is_a_violation",
    ),
    "N-07 Ctrl-C with urgent data": ("bridge/wire/test_terminal_bytes.py::test_urgent_data_leaves_the_line_whole",),
    "N-08 Are You There, ten thousand times": (
        "bridge/wire/test_terminal_bytes.py::test_a_flood_of_telnet_commands_is_answered_with_little",
    ),
    "N-10 unknown commands, a lone 0xFF": (
        "bridge/wire/test_terminal_bytes.py::test_telnet_and_controls_leave_the_words",
        "tcp/telnet/test_parser.py::test_a_cut_at_any_byte_changes_nothing",
    ),
    "N-11 every option offered": (
        "bridge/wire/test_terminal_bytes.py::test_telnet_and_controls_leave_the_words",
        "tcp/telnet/test_parser.py::test_will_of_every_option_is_256_refusals_less_the_timing_mark",
    ),
    "N-13 no telnet byte to a peer that spoke none": (
        "bridge/delivery/test_one_room.py::test_the_plain_door_sends_no_telnet_byte_and_ends_lines_with_a_line_feed",
    ),
    "U-01 clearing the screen": (
        "bridge/http/test_websocket_contract.py::test_what_a_terminal_would_obey_is_taken_out",
        "core/text/test_sanitize.py::test_whole_sequences_go",
    ),
    "U-03 questions that a terminal answers": (
        "bridge/wire/test_terminal_bytes.py::test_telnet_and_controls_leave_the_words",
    ),
    "U-04 C1 in both forms": ("bridge/wire/test_terminal_bytes.py::test_telnet_and_controls_leave_the_words",),
    "U-06 what some reader takes for a line's end": (
        "core/text/test_sanitize.py::test_what_some_reader_takes_for_a_line_end_is_a_space",
        "bridge/wire/test_terminal_bytes.py::test_telnet_and_controls_leave_the_words",
    ),
    "U-07 the same in every field": (
        "test_any_input.py::test_what_a_page_sends",
        "test_any_input.py::test_what_a_terminal_types",
        "core/operators/test_moderation.py::test_an_announcement_passes_the_gate",
    ),
    "U-09 overrides of direction": (
        "bridge/wire/test_terminal_bytes.py::test_a_name_that_mimics_or_breaks_something_is_refused_on_every_door",
        "core/text/test_sanitize.py::test_controls_overrides_and_tags_go",
    ),
    "U-10 isolates that do not end": ("core/text/test_sanitize.py::test_controls_overrides_and_tags_go",),
    "U-12 tags and variation selectors": (
        "bridge/wire/test_terminal_bytes.py::test_a_name_that_mimics_or_breaks_something_is_refused_on_every_door",
    ),
    "U-13 look-alikes": (
        "core/text/test_name_rules.py::test_nicks_that_pass_for_each_other_are_one_users",
        "bridge/http/test_websocket_contract.py::test_look_alikes_of_somebody_here_are_taken",
    ),
    "U-15 names that mimic the server": (
        "bridge/wire/test_terminal_bytes.py::test_a_name_that_mimics_or_breaks_something_is_refused_on_every_door",
        "core/text/test_name_rules.py::test_marks_that_no_spelling_needs_are_invalid",
    ),
    "U-16 one letter, two spellings": (
        "core/text/test_name_rules.py::test_nicks_that_pass_for_each_other_are_one_users",
    ),
    "U-18 half a surrogate pair": (
        "bridge/http/test_websocket_contract.py::test_half_a_surrogate_pair_is_bad_text",
        "core/text/test_sanitize.py::test_lone_surrogate_is_refused",
    ),
    "U-19 noncharacters": ("bridge/wire/test_terminal_bytes.py::test_telnet_and_controls_leave_the_words",),
    **dict.fromkeys(
        (
            "W-01 a frame without a mask",
            "W-02 reserved bits",
            "W-04 control frames that are long or in pieces",
            "W-05 a continuation of nothing, a message within a message",
            "W-07 close frames that say nothing sensible",
            "W-08 lengths of 2^63",
            "W-10 lengths longer than they need to be",
            "W-25 data after close",
        ),
        (
            "bridge/http/test_websocket_frames.py::test_frames",
            "bridge/http/test_websocket_frames.py::test_frames_byte_by_byte",
            "test_any_input.py::test_frames",
        ),
    ),
    "W-11 a frame byte by byte": (
        "web/websocket/test_websocket.py::test_a_slow_frame_is_cut",
        "web/websocket/test_websocket.py::test_half_a_frame_is_no_pong",
    ),
    "W-13 a flood of pongs": (
        "bridge/http/test_websocket_frames.py::test_frames",
        "bridge/http/test_websocket_frames.py::test_many_pings_are_answered_and_a_flood_of_them_only_now_and_then",
    ),
    "W-14 60,000 fragments": (
        "bridge/http/test_websocket_frames.py::test_frames",
        "bridge/http/test_websocket_frames.py::test_a_flood_of_crumbs_does_not_silence_the_others",
    ),
    "W-16 messages that are no requests": (
        "bridge/http/test_websocket_contract.py::test_a_message_that_is_no_request_is_bad",
        "bridge/http/test_websocket_contract.py::test_ten_bad_messages_in_a_minute_close",
        "test_any_input.py::test_what_a_page_sends",
    ),
    "W-17 a deflated bomb": (
        "bridge/http/test_websocket_contract.py::test_compression_is_not_taken",
        "bridge/http/test_websocket_frames.py::test_frames",
    ),
    "W-19 other versions, keys and methods": (
        "web/http/test_strict_requests_upgrade.py::test_a_bad_upgrade_is_refused",
        "bridge/http/test_websocket_contract.py::test_an_upgrade_is_whole_and_clean_or_refused",
    ),
    "W-20 upgrades of HTTP/1.0 and the like": (
        "web/http/test_strict_requests_upgrade.py::test_http_1_0_is_no_upgrade",
        "bridge/http/test_requests.py::test_what_may_be_read_in_two_ways_is_refused_and_the_rest_not_served",
    ),
    "W-21 foreign origins": (
        "bridge/http/test_websocket_contract.py::test_a_foreign_origin_is_refused",
        "web/http/test_strict_requests_upgrade.py::test_a_bad_upgrade_is_refused",
    ),
    "W-22 a foreign host": (
        "bridge/http/test_http_contract.py::test_a_host_that_is_not_ours_is_refused",
        "web/http/test_strict_requests_upgrade.py::test_a_bad_upgrade_is_refused",
    ),
    "W-23 no hello": ("web/websocket/test_websocket.py::test_without_hello_it_is_1008",),
    "W-26 a reset in the middle of a frame": (
        "bridge/http/test_websocket_contract.py::test_the_others_go_on_when_one_leaves_in_any_way",
        "web/websocket/test_websocket.py::test_a_reset_connection_leaves_the_chat",
    ),
    "W-27 never reads": (
        "web/websocket/test_websocket.py::test_a_stuck_reader_takes_nothing_more_and_is_pumped_when_it_reads",
        "bridge/delivery/test_stalled_readers.py::test_in_two_minutes_a_hundred_stalled_readers_cost_the_others_nothing",
    ),
    "W-28 places that mean nothing": (
        "bridge/http/test_websocket_contract.py::test_a_position_that_means_nothing_is_not_recovered",
        "bridge/delivery/test_coming_back.py::test_a_forged_token_makes_somebody_new_and_harms_nobody",
    ),
    "W-29 fifty with one token": (
        "bridge/delivery/test_coming_back.py::test_of_fifty_connections_with_one_token_eight_stay_and_the_others_are_told",
    ),
    "W-31 a thousand subprotocols": ("web/http/test_strict_requests_upgrade.py::test_a_good_upgrade_is_taken",),
    "W-32 forged fields": (
        "bridge/http/test_websocket_contract.py::test_fields_that_only_the_server_sets_are_not_taken_from_the_sender",
        "bridge/http/test_websocket_contract.py::test_a_room_that_was_not_joined_is_refused_as_such",
    ),
    "H-02 a header byte by byte": ("web/rooms/test_rooms.py::test_a_slow_header_is_cut",),
    "H-03 a body byte by byte": ("web/rooms/test_rooms.py::test_a_slow_body_is_cut",),
    **dict.fromkeys(
        (
            "H-05 a length and chunks",
            "H-06 odd lengths",
            "H-08 odd chunks",
            "H-09 odd header lines",
            "H-11 an upgrade with a body",
        ),
        (
            "bridge/http/test_requests.py::test_what_may_be_read_in_two_ways_is_refused_and_the_rest_not_served",
            "bridge/http/test_requests.py::test_the_same_cut_at_any_byte",
            "test_any_input.py::test_requests",
        ),
    ),
    "H-12 more behind a refused upgrade": (
        "bridge/http/test_websocket_contract.py::test_what_follows_a_refused_upgrade_is_not_served",
    ),
    "H-14 a compressed body": ("bridge/http/test_requests.py::test_no_body_is_inflated_wherever_it_goes",),
    "H-15 paths that lead elsewhere": ("bridge/http/test_requests.py::test_no_path_leads_out_of_the_static_files",),
    "H-17 forwarded by a stranger": (
        "bridge/http/test_requests.py::test_what_a_stranger_forwards_is_not_believed",
        "web/http/test_client_address.py::test_nobody_can_log_in_with_the_name_of_another",
    ),
    "H-18 forwarded by a trusted proxy": (
        "web/http/test_client_address.py::test_the_right_most_hop_that_is_no_trusted_proxy_counts",
    ),
    "H-20 headers of every answer": (
        "bridge/http/test_http_contract.py::test_every_answer_has_its_security_headers",
        "web/http/test_response_headers.py::test_every_answer_is_dressed",
    ),
    "A-01 orders by strangers": ("web/admin/test_login.py::test_a_write_by_a_stranger_is_refused_and_recorded",),
    "A-03 orders by GET": ("web/admin/test_moderation.py::test_orders_are_not_given_by_get",),
    "A-04 bodies that are no login": ("web/admin/test_login.py::test_a_body_that_is_no_login_is_400",),
    "A-05 two hundred wrong passwords": (
        "accounts/test_authenticator.py::test_of_200_wrong_passwords_at_once_3_are_hashed_two_at_a_time",
    ),
    "A-06 fails as admin all day": (
        "accounts/test_authenticator.py::test_a_known_address_gets_in_while_others_fail_under_its_name_all_day",
    ),
    "A-07 unknown names take as long": (
        "accounts/test_accounts.py::test_an_unknown_name_costs_what_the_dearest_account_costs_and_fits_no_password",
    ),
    "A-09 a session from before the login": (
        "web/admin/test_login.py::test_a_login_gets_a_new_id_and_the_cookie_of_before_is_dead",
    ),
    "A-10 kicks of the wrong person": (
        "core/operators/test_moderation.py::test_a_kick_never_hits_a_newcomer_with_the_same_nick",
        "core/operators/test_moderation.py::test_operators_cannot_act_on_themselves_or_on_equals",
    ),
    "A-12 the live feed after the login": ("web/tables/test_connections.py::test_watching_ends_with_the_login",),
    "A-13 announcements like any text": (
        "core/operators/test_moderation.py::test_an_announcement_passes_the_gate",
        "core/operators/test_moderation.py::test_announcements_are_paced",
    ),
    "A-15 bans of everybody": ("core/sessions/test_sanctions.py::test_what_nobody_means_to_ban_is_doubted",),
    "A-16 ban and unban at the same time": (
        "core/operators/test_moderation.py::test_the_last_ban_on_a_target_counts_and_the_record_has_both",
    ),
    "A-18 kick of a stalled peer": (
        "web/websocket/test_websocket.py::test_a_stuck_reader_is_closed_within_two_seconds",
    ),
    "A-19 ten thousand hostile nicks": (
        "core/stats/test_recent.py::test_texts_of_a_row_are_bounded",
        "web/http/test_response_headers.py::test_every_answer_is_dressed",
    ),
    "S-01 killed in the middle of a transaction": (
        "bridge/delivery/test_crash.py::test_two_hundred_crashes_lose_nothing",
        "bridge/delivery/test_crash.py::test_ten_crashes_lose_nothing_that_was_acknowledged_or_shown",
    ),
    "S-02 a full disk": (
        "bridge/delivery/test_storage.py::test_a_disk_that_takes_no_more_is_told_and_comes_back",
        "journal/sqlite/test_sqlite_failures.py::test_a_real_disk_fills_and_is_freed_again",
    ),
    "S-04 may not write": (
        "journal/sqlite/test_sqlite_refusals.py::test_a_person_who_may_not_write_is_told_so",
        "bridge/process/test_life.py::test_a_folder_that_cannot_be_written_is_told_in_one_line",
    ),
    "S-05 an error of the disk": (
        "journal/sqlite/test_sqlite_failures.py::test_after_an_error_of_the_disk_the_database_is_opened_anew",
        "journal/sqlite/test_sqlite_failures.py::test_a_missing_end_is_told_once_and_gives_new_epochs",
    ),
    "S-07 the journal is behind": ("core/test_hub.py::test_flooding_senders_are_held_while_the_journal_is_behind",),
    "S-08 locked by another program": (
        "bridge/delivery/test_storage.py::test_a_journal_locked_by_another_program_is_waited_for",
    ),
    "S-10 a damaged database": (
        "journal/sqlite/test_sqlite_refusals.py::test_a_bad_database_is_refused_and_left_untouched",
        "journal/sqlite/test_sqlite_refusals.py::test_a_bad_database_with_a_log_is_refused_and_left_untouched",
    ),
    "S-11 deleted while it runs": (
        "bridge/delivery/test_storage.py::test_a_journal_that_is_deleted_is_told_and_nobody_is_cut",
    ),
    "S-13 SQL in every field": ("journal/test_journal_contract.py::test_sql_in_every_field_is_only_text",),
    "S-14 a million old messages": (
        "journal/sqlite/test_sqlite_slices.py::test_a_slice_is_bounded_and_the_next_goes_on",
        "bridge/delivery/test_storage.py::test_a_million_old_messages_are_forgotten_in_slices",
    ),
    "S-16 power loss": (
        "journal/test_power_loss.py::test_whatever_the_disk_kept_nothing_is_corrupt_and_no_number_is_used_twice",
        "journal/sqlite/test_sqlite_tail.py::test_a_log_cut_between_any_two_frames_or_anywhere_else",
        "journal/sqlite/test_sqlite_tail.py::test_a_bit_flipped_anywhere_in_the_log",
        "journal/sqlite/test_sqlite_stops.py::test_a_lost_machine_gives_every_room_a_new_epoch_and_numbers_go_on",
        "journal/sqlite/test_sqlite_stops.py::test_a_lost_machine_cannot_harm_a_journal_that_synced_every_commit",
    ),
    "S-17 the clock is set": (
        "core/sessions/test_sanctions.py::test_an_end_that_has_come_lets_in_and_a_clock_set_back_keeps_out",
        "core/test_clock.py::test_messages_stay_in_the_order_in_which_they_were_said",
        "core/test_clock.py::test_a_second_try_is_known_for_two_minutes_and_no_longer",
        "core/test_clock.py::test_an_identity_can_come_back_for_ten_minutes",
        "core/test_clock.py::test_an_identity_that_left_in_the_future_does_not_live_longer",
    ),
    "O-01 eighty descriptors": (
        "bridge/machines/test_descriptors.py::test_with_eighty_descriptors_a_connection_too_many_is_told",
    ),
    "O-02 no descriptor for the next": (
        "bridge/machines/test_descriptors.py::test_when_the_last_descriptor_is_gone_newcomers_wait_and_then_come_in",
        "tcp/test_listener.py::test_out_of_descriptors_the_listener_rests_and_comes_back",
    ),
    "O-04 signals": (
        "bridge/process/test_signals.py::test_no_other_signal_ends_the_gateway",
        "bridge/process/test_life.py::test_a_second_signal_hurries",
    ),
    "O-05 stopped for two minutes": (
        "bridge/delivery/test_coming_back.py::test_a_gateway_that_stood_still_for_a_moment_cuts_nobody",
        "bridge/delivery/test_coming_back.py::test_a_gateway_that_stood_still_for_two_minutes_cuts_nobody",
        "web/websocket/test_websocket.py::test_nobody_is_cut_for_a_silence_in_which_we_stood_still",
    ),
    "O-07 nobody reads the log": (
        "bridge/machines/test_standard_streams.py::test_a_full_log_pipe_does_not_stop_the_chat",
        "bridge/machines/test_standard_streams.py::test_a_gateway_without_readers_serves_and_stops_cleanly",
    ),
    "O-08 the log's disk is full": (
        "bridge/machines/test_standard_streams.py::test_a_full_log_pipe_does_not_stop_the_chat",
    ),
    "O-10 started again at once": (
        "bridge/process/test_life.py::test_it_comes_back_on_the_same_ports_at_once_with_peers_still_there",
    ),
    "O-11 too little processor": (
        "web/websocket/test_websocket.py::test_nobody_is_cut_for_a_silence_in_which_we_stood_still",
    ),
    "O-13 a flood at one door": (
        "bridge/wire/test_bad_input.py::test_a_flood_does_not_silence_the_others",
        "bridge/http/test_websocket_frames.py::test_a_flood_of_crumbs_does_not_silence_the_others",
        "tcp/test_server.py::test_with_a_few_events_a_round_everybody_is_served_alike",
    ),
    "O-14 names of addresses are asked of nobody": (
        "tree/test_faults.py::test_nobody_asks_for_the_name_of_an_address",
    ),
    "O-16 a thousand connections die at once": (
        "bridge/delivery/test_coming_back.py::test_a_thousand_connections_killed_at_once_leave_nothing_behind",
        "bridge/delivery/test_coming_back.py::test_ten_thousand_connections_killed_at_once_leave_nothing_behind",
    ),
    "O-17 Python at its strictest": ("bridge/machines/test_strict_python.py::test_a_life_from_start_to_stop",),
    "D-01 cut at every byte": (
        "bridge/delivery/test_cuts.py::test_an_answer_cut_at_every_byte_is_completed_by_the_next",
        "bridge/delivery/test_cuts.py::test_hundreds_of_cuts_lose_and_repeat_nothing",
    ),
    "D-02 a replay meets a burst": (
        "core/rooms/test_catch_up.py::test_a_replay_meets_a_burst_at_the_seam",
        "bridge/delivery/test_cuts.py::test_hundreds_of_cuts_lose_and_repeat_nothing",
        "bridge/delivery/test_cuts.py::test_ten_thousand_cuts_lose_and_repeat_nothing",
    ),
    "D-03 joins while everybody talks": (
        "bridge/delivery/test_one_room.py::test_all_doors_show_one_order_while_everybody_talks",
    ),
    "D-05 the log passes a reader": (
        "core/rooms/test_catch_up.py::test_what_the_log_has_dropped_is_read_from_the_journal_without_gap_or_repeat",
        "core/test_hub.py::test_a_stuck_reader_costs_the_others_nothing_and_is_told_what_it_missed",
    ),
    "D-06 comes back and nothing was said": (
        "core/rooms/test_catch_up.py::test_missed_messages_come_in_order_and_live_goes_on",
        "bridge/delivery/test_cuts.py::test_a_terminal_cut_anywhere_is_told_from_where_on_it_is_shown_more",
    ),
    "D-08 drained while somebody comes back": (
        "bridge/delivery/test_coming_back.py::test_a_resume_that_a_stop_cuts_short_goes_on_after_it",
    ),
    "F-01 requests of other programs": (
        "bridge/wire/test_reported_cases.py::test_a_request_of_another_program_is_served_or_told",
        "bridge/wire/test_reported_cases.py::test_json_that_is_none_is_told_in_one_line",
        "bridge/wire/test_reported_cases.py::test_an_id_over_json_is_a_text_of_1_to_64_letters",
        "bridge/wire/test_reported_cases.py::test_a_place_that_is_none_is_not_recovered_from",
        "web/rooms/test_room_log.py::test_head_asks_for_no_text",
    ),
    "F-02 what people and telnet clients type": (
        "bridge/wire/test_reported_cases.py::test_what_people_type_is_said_as_they_mean_it",
        "bridge/wire/test_reported_cases.py::test_what_telnet_clients_send_is_said_as_they_mean_it",
        "core/doors/test_private_messages.py::test_somebody_is_found_as_other_chats_address_people",
    ),
    "F-03 scanners": (
        "bridge/wire/test_reported_cases.py::test_scanners_post_nothing_and_are_told",
        "tcp/test_wrong_door.py::test_a_first_line_that_the_second_does_not_confirm_is_said",
    ),
    "F-04 a file system that takes nothing": (
        "process/test_files.py::test_a_key_that_cannot_be_written_is_told_with_what_helps",
        "journal/sqlite/test_sqlite_refusals.py::test_a_read_only_file_system_is_named",
        "cli/test_export.py::test_an_export_without_a_folder_for_temporary_files_names_the_cure",
    ),
    "D-09 retention shrinks": ("bridge/process/test_reload.py::test_old_messages_go_when_retention_shrinks",),
}

FIELD_CASES = (
    *(f"pc_{number:02}" for number in range(2, 52) if number not in {10, 11, 14, 17, 21, 23, 25, 32, 37, 38}),
    "h1", "h2", "m1", "m2", "m3", "m4", "l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8",
)  # fmt: skip
"""Cases from the field: what people reported of systems like this one, and promises that broke under other hands. A
test of a case has its number in its name, alone or with others: `test_pc_08_…`, `test_pc_02_03_04_…`, `test_m2_…`."""

UNDER_OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "pc_39": ("core/sessions/test_sanctions.py::test_a_target_is_a_nick_or_an_address_in_one_spelling",),
    "pc_40": ("web/test_endpoints.py::test_pc40_a_body_that_nobody_gave_is_none",),
    "h2": ("web/websocket/test_gone_peers.py::test_a_peer_that_goes_in_any_order_is_no_error",),
    "m1": (
        "core/rooms/test_log.py::test_the_coldest_log_is_emptied_first_and_the_others_keep_theirs",
        "core/rooms/test_log.py::test_whatever_is_said_where_the_sum_stays_within_its_bound",
    ),
    "l1": ("bridge/delivery/test_storage.py::test_a_disk_that_takes_no_more_is_told_and_comes_back",),
    "l3": ("web/admin/test_login.py::test_a_login_longer_than_a_body_may_be_is_too_long",),
    "l5": ("tcp/test_wrong_door.py::test_another_protocol_cut_at_every_byte_is_answered_and_not_said",),
    "l6": ("bridge/wire/test_terminal_bytes.py::test_a_name_that_mimics_or_breaks_something_is_refused_on_every_door",),
}
"""Cases that are one row of a test for their whole kind, which is named after the kind."""

UNTESTED = set[str]()
"""Cases without a test. A case that gets one must leave."""


@cache
def functions(path: Path) -> frozenset[str]:
    """The tests of one file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("fault", CATALOGUE | UNDER_OTHER_NAMES)
def test_every_fault_has_tests_that_exist(fault: str) -> None:
    tests = (CATALOGUE | UNDER_OTHER_NAMES)[fault]
    assert tests
    for name in tests:
        file, _, function = name.partition("::")
        assert (TESTS / file).is_file(), file
        assert function in functions(TESTS / file), name
        assert function.startswith("test_")


def test_no_fault_is_there_twice() -> None:
    numbers = [fault.split(" ", 1)[0] for fault in CATALOGUE]
    assert len(numbers) == len(set(numbers))


@cache
def all_functions() -> frozenset[str]:
    """The tests of all files."""
    return frozenset().union(*(functions(path) for path in TESTS.rglob("test_*.py")))


def named_after(case: str) -> list[str]:
    """The tests that have the case's number in their names."""
    kind, _, number = case.rpartition("_")
    pattern = re.compile(rf"test_(\w+_)?{f'{kind}(_[0-9]+)*_{number}' if kind else number}(_|$)")
    return [name for name in all_functions() if pattern.match(name)]


@pytest.mark.parametrize("case", FIELD_CASES)
def test_every_case_from_the_field_has_a_test_with_its_number(case: str) -> None:
    places = [bool(named_after(case)), case in UNDER_OTHER_NAMES, case in UNTESTED]
    assert sum(places) == 1, (
        f"{case}: a test is named after it: {named_after(case)}, or UNDER_OTHER_NAMES lists its tests, or UNTESTED says"
        " that there is none; one of these"
    )


def test_only_cases_are_listed() -> None:
    assert UNDER_OTHER_NAMES.keys() | UNTESTED <= set(FIELD_CASES)


def test_nobody_asks_for_the_name_of_an_address() -> None:
    """A slow or hostile name server is asked by nobody, least of all on the way in."""
    asking = {"getnameinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getfqdn"}
    for path in (TESTS.parent / "gateway").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if any(name in text for name in asking) else ():
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            assert name not in asking, path
