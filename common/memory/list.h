// Intrusive doubly linked list: membership costs no allocation, and leaving needs no search.
// The elements are owned elsewhere; an element that dies leaves its list by itself.
#pragma once

#include <cstddef>

namespace holdfast {

/// Base of what can stand in one List at a time. Tag tells apart the lists that one object may be in.
template <class Tag = void>
class ListHook {
 public:
  ListHook() = default;
  ~ListHook() { unlink(); }
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;

  bool is_linked() const { return next_ != nullptr; }

  /// Leaves the list; nothing happens where it is in none.
  void unlink() {
    if (next_ == nullptr) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class, class>
  friend class List;

  ListHook* previous_ = nullptr;
  ListHook* next_ = nullptr;
};

/// A ring through a sentinel. T derives from ListHook<Tag>.
template <class T, class Tag = void>
class List {
 public:
  List() { head_.previous_ = head_.next_ = &head_; }
  ~List() {
    while (!empty()) head_.next_->unlink();
    head_.previous_ = head_.next_ = nullptr;
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const { return head_.next_ == &head_; }
  T* front() { return empty() ? nullptr : element(head_.next_); }
  T* back() { return empty() ? nullptr : element(head_.previous_); }
  const T* front() const { return empty() ? nullptr : static_cast<const T*>(head_.next_); }

  /// The neighbours of an element of this list; null at the ends.
  T* next(T& item) { return end_or(hook(item).next_); }
  T* previous(T& item) { return end_or(hook(item).previous_); }

  void push_back(T& item) { insert(head_.previous_, item); }
  void push_front(T& item) { insert(&head_, item); }
  /// Puts `item` behind `place`, an element of this list; in front of all where `place` is null.
  void insert_after(T* place, T& item) { insert(place == nullptr ? &head_ : &hook(*place), item); }

  std::size_t size() const {
    std::size_t count = 0;
    for (const ListHook<Tag>* at = head_.next_; at != &head_; at = at->next_) ++count;
    return count;
  }

 private:
  static ListHook<Tag>& hook(T& item) { return item; }
  static T* element(ListHook<Tag>* at) { return static_cast<T*>(at); }
  T* end_or(ListHook<Tag>* at) { return at == &head_ ? nullptr : element(at); }

  void insert(ListHook<Tag>* place, T& item) {
    ListHook<Tag>& added = hook(item);
    added.unlink();
    added.previous_ = place;
    added.next_ = place->next_;
    place->next_->previous_ = &added;
    place->next_ = &added;
  }

  ListHook<Tag> head_;
};

}  // namespace holdfast
