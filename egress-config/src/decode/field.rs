//! What became of a parameter.

use crate::tree::Place;

/// A parameter of a resource, read. A faulty one counts as given: it has been told of, and earns
/// no follow-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field<T> {
    /// Not written, or null.
    Absent,
    /// Written, and told of as a fault.
    Faulty(Place),
    /// Written well.
    Given(Located<T>),
}

/// A value and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// The items of a list. Faulty items are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<Located<T>>,
    /// How many are written, faulty ones included.
    pub(crate) written: usize,
}

impl<T> Field<T> {
    pub(crate) const fn given(&self) -> Option<&Located<T>> {
        match self {
            Self::Given(located) => Some(located),
            Self::Absent | Self::Faulty(_) => None,
        }
    }

    pub(crate) fn map<U>(self, into: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Absent => Field::Absent,
            Self::Faulty(place) => Field::Faulty(place),
            Self::Given(Located { value, place }) => Field::Given(Located {
                value: into(value),
                place,
            }),
        }
    }

    pub(crate) fn value(&self) -> Option<&T> {
        self.given().map(|located| &located.value)
    }

    pub(crate) const fn place(&self) -> Option<Place> {
        match self {
            Self::Absent => None,
            Self::Faulty(place) => Some(*place),
            Self::Given(located) => Some(located.place),
        }
    }

    pub(crate) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub(crate) const fn is_faulty(&self) -> bool {
        matches!(self, Self::Faulty(_))
    }
}

impl<T: Copy> Field<T> {
    pub(crate) fn or(&self, default: T) -> T {
        self.value().copied().unwrap_or(default)
    }
}

impl<T> Field<Listed<T>> {
    /// The good items; none where the list is absent.
    pub(crate) fn items(&self) -> &[Located<T>] {
        self.value().map_or(&[], |listed| &listed.items)
    }

    /// How many items are written.
    pub(crate) fn written(&self) -> usize {
        self.value().map_or(0, |listed| listed.written)
    }

    /// Whether every item is good, so that an absent item is known to be absent.
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Faulty(_) => false,
            Self::Given(listed) => listed.value.items.len() == listed.value.written,
        }
    }
}
