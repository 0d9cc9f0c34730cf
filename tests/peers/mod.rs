//! What others measure YAML readers by.

mod yaml_suite;
