//! A data key that somebody else knows: it is not written under again.
