"""Where the models and the service disagree, or where a rule cannot be met by a value alone. Each with its reason."""

# Output: (shape, value) that the shape does not allow. The service answers it (see the CLI's samples).
OUTPUT_VALUES = {
    ("VideoFillMode", ""): "the layout echoes it unset: the effective mode differs by slot",
    ("TranscodePreset", ""): "channels without a preset echo the empty string",
}

# Patterns that are not applied.
IGNORED_PATTERNS = {
    "ResourceArn": "`[a-z-]/` is a single character: no ARN of either service has one",
    "ParticipantRecordingS3Prefix": "prefixes have slashes, the pattern does not",
}

# Input: (shape, rule, is the value empty) whose inside value cannot be sent.
INSIDE_NOT_TRIED = {
    ("PaginationToken", "length", False): "tokens are opaque: only those that were issued are taken",
    ("PaginationToken", "pattern", False): "tokens are opaque: only those that were issued are taken",
    ("TagKeyList", "size", True): "a query says nothing of an empty list",
}
