;; A resource that never leaves the component: made, read and dropped, the last with a destructor that costs
;; fuel.
(component
  (component $counters
    (core module $dtor
      (global $dropped (export "dropped") (mut i32) (i32.const 0))
      (func (export "drop") (param i32) (global.set $dropped (i32.add (global.get $dropped) (local.get 0)))))
    (core instance $dtor (instantiate $dtor))
    (type $counter' (resource (rep i32) (dtor (core func $dtor "drop"))))
    (export $counter "counter" (type $counter'))
    (core func $new (canon resource.new $counter'))
    (core module $m
      (import "" "new" (func $new (param i32) (result i32)))
      (import "" "dropped" (global $dropped (mut i32)))
      (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
      (func (export "read") (param i32) (result i32) (local.get 0))
      (func (export "dropped") (result i32) (global.get $dropped)))
    (core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "dropped" (global $dtor "dropped"))))))
    (func (export "make") (param "n" u32) (result (own $counter)) (canon lift (core func $i "make")))
    (func (export "read") (param "self" (borrow $counter)) (result u32) (canon lift (core func $i "read")))
    (func (export "dropped") (result u32) (canon lift (core func $i "dropped"))))
  (component $user
    (import "counters" (instance $counters
      (export "counter" (type $counter (sub resource)))
      (export "make" (func (param "n" u32) (result (own $counter))))
      (export "read" (func (param "self" (borrow $counter)) (result u32)))
      (export "dropped" (func (result u32)))))
    (alias export $counters "counter" (type $counter))
    (core func $make (canon lower (func $counters "make")))
    (core func $read (canon lower (func $counters "read")))
    (core func $dropped (canon lower (func $counters "dropped")))
    (core func $drop (canon resource.drop $counter))
    (core module $m
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "read" (func $read (param i32) (result i32)))
      (import "" "dropped" (func $dropped (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "run") (param $n i32) (result i32)
        (local $counter i32) (local $sum i32)
        (loop $l
          (local.set $counter (call $make (local.get $n)))
          (local.set $sum (i32.add (local.get $sum) (call $read (local.get $counter))))
          (call $drop (local.get $counter))
          (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (if (i32.eq (local.get $sum) (i32.const 6)) (then (call $drop (local.get $counter))))
        (i32.add (i32.mul (local.get $sum) (i32.const 1000)) (call $dropped))))
    (core instance $i (instantiate $m (with "" (instance
      (export "make" (func $make)) (export "read" (func $read)) (export "dropped" (func $dropped)) (export "drop" (func $drop))))))
    (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
  (instance $counters (instantiate $counters))
  (instance $user (instantiate $user (with "counters" (instance $counters))))
  (export "run" (func $user "run")))
