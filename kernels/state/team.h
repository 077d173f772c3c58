// A team of threads for one run: started, kept in step by a barrier, joined. Nothing outlives the run.
#pragma once
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "memory.h"

namespace qrealm {

struct Cancelled : std::runtime_error {
    Cancelled() : std::runtime_error("cancelled") {}
};

// Asked by the calling thread every few milliseconds; true stops the run.
using Poll = std::function<bool()>;

// Stops work that a caller no longer wants, at little cost in inner loops.
class Watch {
public:
    explicit Watch(const Poll& poll) : poll_(poll) {}
    void tick() {
        if ((++count_ & 0xfffff) == 0 && poll_ && poll_()) throw Cancelled();
    }

private:
    const Poll& poll_;
    uint64_t count_ = 0;
};

class Team {
public:
    Team(int size, const Poll& poll) : size_(size < 1 ? 1 : size), poll_(poll), last_poll_(Clock::now()) {}

    int size() const { return size_; }

    // Runs body(member) on every member; an exception on any stops all and is thrown here.
    template <class F>
    void run(F&& body) {
        std::vector<std::thread> others;
        auto guarded = [&](int member) {
            try {
                body(member);
            } catch (...) {
                if (!failed_.exchange(true)) error_ = std::current_exception();
                stop_ = true;
            }
        };
        others.reserve(size_ - 1);
        try {
            for (int m = 1; m < size_; ++m) others.emplace_back(guarded, m);
        } catch (const std::system_error&) {  // the system gives no more threads: those that run must not wait for them
            stop_ = true;
            for (std::thread& t : others) t.join();
            throw OutOfMemory("the system refused to start " + std::to_string(size_) + " threads");
        }
        guarded(0);
        for (std::thread& t : others) t.join();
        if (error_) std::rethrow_exception(error_);
    }

    // Called by each member between pieces of work.
    void check(int member) {
        if (member == 0 && poll_) {
            const auto now = Clock::now();
            if (now - last_poll_ > std::chrono::milliseconds(20)) {
                last_poll_ = now;
                if (poll_()) stop_ = true;
            }
        }
        if (stop_.load(std::memory_order_relaxed)) throw Cancelled();
    }

    // For work that watches on its own: whether this team has been told to end.
    bool stopped() const { return stop_.load(std::memory_order_relaxed); }

    void barrier(int member) {
        if (size_ == 1) return;
        const unsigned round = round_.load();
        if (arrived_.fetch_add(1) + 1 == size_) {
            arrived_ = 0;
            round_.fetch_add(1);
            return;
        }
        for (int spins = 0; round_.load() == round; ++spins) {
            if (spins > 2000) std::this_thread::yield();
            if (stop_.load(std::memory_order_relaxed)) throw Cancelled();
            if (spins > 2000) check(member);
        }
    }

    // The half-open share of `count` pieces that belongs to `member`.
    std::pair<size_t, size_t> share(size_t count, int member) const {
        return {count * member / size_, count * (member + 1) / size_};
    }

private:
    using Clock = std::chrono::steady_clock;
    int size_;
    const Poll& poll_;
    Clock::time_point last_poll_;
    std::atomic<bool> stop_{false}, failed_{false};
    std::atomic<int> arrived_{0};
    std::atomic<unsigned> round_{0};
    std::exception_ptr error_;
};

}  // namespace qrealm
