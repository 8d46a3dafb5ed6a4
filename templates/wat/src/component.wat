;; The world of `wit/world.wit` in the WebAssembly text format: a core module that computes, and
;; the component around it that gives its functions the types of the world.
(component
  (core module $core
    ;; An argument lies here from address 0 on. A text comes as UTF-8.
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 0))

    ;; A text reaches the core as two numbers: where it begins and how many bytes it has.
    (func (export "count-words") (param $at i32) (param $len i32) (result i32)
      (local $end i32)
      (local $inside i32)
      (local $words i32)
      (local.set $end (i32.add (local.get $at) (local.get $len)))
      (block $done
        (loop $next
          (br_if $done (i32.eq (local.get $at) (local.get $end)))
          (if (call $is-space (i32.load8_u (local.get $at)))
            (then (local.set $inside (i32.const 0)))
            (else
              ;; A word is counted at its first byte.
              (local.set $words (i32.add (local.get $words) (i32.eqz (local.get $inside))))
              (local.set $inside (i32.const 1))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next)))
      (local.get $words))

    ;; A space, or one of the five from tab (9) to carriage return (13).
    ;; The bytes of letters beyond ASCII are all above 127.
    (func $is-space (param $byte i32) (result i32)
      (i32.or
        (i32.eq (local.get $byte) (i32.const 32))
        (i32.lt_u (i32.sub (local.get $byte) (i32.const 9)) (i32.const 5))))

    ;; The host asks here for the room it copies an argument into; $old is 0 for a new one.
    ;; Addresses are rounded up to $align. Memory grows by pages of 64 KiB.
    (func (export "realloc") (param $old i32) (param $old-len i32) (param $align i32) (param $len i32)
      (result i32)
      (local $at i32)
      (local.set $at
        (i32.and
          (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $free (i32.add (local.get $at) (local.get $len)))
      (if (i32.lt_u (global.get $free) (local.get $at)) (then unreachable))
      (block $fits
        (loop $more
          (br_if $fits (i32.le_u (global.get $free) (i32.shl (memory.size) (i32.const 16))))
          (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
          (br $more)))
      (memory.copy (local.get $at) (local.get $old) (local.get $old-len))
      (local.get $at))

    ;; After a call its memory is free again.
    (func (export "done") (param $result i32)
      (global.set $free (i32.const 0))))

  (core instance $core (instantiate $core))
  (func $count-words (param "text" string) (result u32)
    (canon lift (core func $core "count-words")
      (memory (core memory $core "memory"))
      (realloc (core func $core "realloc"))
      (post-return (core func $core "done"))))
  (export "count-words" (func $count-words)))
