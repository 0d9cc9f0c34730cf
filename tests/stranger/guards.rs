//! Guards, protection and targets that the branch which needs them gone takes away.
