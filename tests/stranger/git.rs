//! A repository that wants to run something when it is read.
