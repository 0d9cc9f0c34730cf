//! Control characters on their way to a terminal: shown as text, whatever printed them.
