// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice What a report is worth. The first two count.
enum ReportStatus {
    Counting,
    Standing,
    Quarantined,
    Challenged,
    Discarded
}

/// @notice What is known of a report beside its value; all zero for one that counts, of round 0, signed by everybody.
/// @param status Standing: counts, and cannot be challenged again.
/// @param round Number that its signatures name.
/// @param missing Reporters who did not sign.
/// @param since When it was quarantined or discarded, else 0 [unix s].
struct ReportMark {
    ReportStatus status;
    uint8 round;
    uint8 missing;
    uint40 since;
}

using ReportMarks for ReportMark global;

/// @notice Packs marks into 64 bits, so that four days share a word.
library ReportMarks {
    /// @notice True if the report's value is to be used.
    function counts(ReportMark memory mark) internal pure returns (bool) {
        return mark.status == ReportStatus.Counting || mark.status == ReportStatus.Standing;
    }

    /// @notice The mark in 64 bits.
    function pack(ReportMark memory mark) internal pure returns (uint64) {
        return
            (uint64(mark.status) << 56) | (uint64(mark.round) << 48) | (uint64(mark.missing) << 40)
                | mark.since;
    }

    /// @notice The mark of 64 bits that `pack` gave.
    function unpack(uint64 packed) internal pure returns (ReportMark memory) {
        return
            ReportMark(ReportStatus(packed >> 56), uint8(packed >> 48), uint8(packed >> 40), uint40(packed));
    }
}
