//! The connectors that tieline knows: one JSON Schema and one line each.

/// What the schemas have in common; they refer to it as `../shared.json#/$defs/NAME`.
pub(super) const SHARED: &str = include_str!("../../schemas/shared.json");

/// Id and schema, sorted by id.
pub(super) const BUILTIN: &[(&str, &str)] = &[
    ("elasticsearch", include_str!("../../schemas/connectors/elasticsearch.json")),
    ("http", include_str!("../../schemas/connectors/http.json")),
    ("hubspot", include_str!("../../schemas/connectors/hubspot.json")),
    ("mysql", include_str!("../../schemas/connectors/mysql.json")),
    ("openai", include_str!("../../schemas/connectors/openai.json")),
    ("postgresql", include_str!("../../schemas/connectors/postgresql.json")),
    ("s3", include_str!("../../schemas/connectors/s3.json")),
    ("salesforce", include_str!("../../schemas/connectors/salesforce.json")),
    ("sftp", include_str!("../../schemas/connectors/sftp.json")),
    ("upsales", include_str!("../../schemas/connectors/upsales.json")),
];
