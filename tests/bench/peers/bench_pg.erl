%% bench_pg: the same work as muster_bench, done with OTP's pg. Node A is the node that this runs on; the others are
%% processes on 127.0.0.1, told over their standard input and output what to do. One repetition of one row, named by
%% the environment: ROW, MS (length of a rate), CALLS (of a latency), ONLY ("key=value ..."). One line for each case.
-module(bench_pg).
-export([main/0]).
%% called on other nodes
-export([start_scope/0, spawn_idle/1, spawn_members/2, fill/2, total/0, echo/2, learn/3, resident/0,
         collect/0, relay/2]).

-define(SCOPE, bench).
-define(PATIENCE, 300000). % milliseconds

main() ->
    try
        start_scope(),
        row(list_to_atom(os:getenv("ROW"))),
        halt(0)
    catch
        Class:Reason:Stack ->
            io:format(standard_error, "bench_pg: ~p: ~p~n~p~n", [Class, Reason, Stack]),
            halt(1)
    end.

row(lookup) -> lookup();
row(join) -> join();
row(propagate) -> propagate();
row(sync) -> sync();
row(fanout) -> fanout();
row(killed) -> killed();
row(memory) -> memory().

%% ---- lookup: pg:get_members

lookup() ->
    {Control, B} = node_up(b),
    connect([B]),
    [lookup(B, Members) || Members <- [1, 10, 100, 1000]],
    node_down(Control, B).

lookup(B, Members) ->
    Local = spawn_idle(Members),
    ok = pg:join(?SCOPE, {local, Members}, Local),
    Remote = erpc:call(B, ?MODULE, spawn_idle, [Members]),
    ok = erpc:call(B, pg, join, [?SCOPE, {remote, Members}, Remote]),
    wait(fun() -> length(pg:get_members(?SCOPE, {remote, Members})) =:= Members end),
    [measure(lookup, [{where, Where}, {members, Members}, {threads, Threads}],
             fun() -> [{ns_op, lookups({Where, Members}, Threads)}] end)
     || Where <- [local, remote], Threads <- [1, 2]],
    [exit(Pid, kill) || Pid <- Local ++ Remote].

%% nanoseconds of one lookup by one of so many processes
lookups(Group, Threads) ->
    Me = self(),
    Duration = ms() * 500000,
    Look = fun() -> receive go -> ok end, Me ! {self(), look_until(Group, now_ns() + Duration, 0)} end,
    Pids = [spawn_link(Look) || _ <- lists:seq(1, Threads)],
    [Pid ! go || Pid <- Pids],
    Duration * Threads / lists:sum([receive {Pid, Done} -> Done end || Pid <- Pids]).

look_until(Group, End, Done) ->
    case now_ns() < End of
        true -> look(Group, 64), look_until(Group, End, Done + 64);
        false -> Done
    end.

look(_, 0) -> ok;
look(Group, N) -> _ = pg:get_members(?SCOPE, Group), look(Group, N - 1).

%% ---- join: pairs of pg:join and pg:leave, two peers connected

join() ->
    {ControlB, B} = node_up(b),
    {ControlC, C} = node_up(c),
    connect([B, C]),
    [One | _] = Hundred = spawn_idle(100),
    join_case([B, C], 0, One, 1),
    join_case([B, C], 0, Hundred, 100),
    join_case([B, C], 1000, One, 1),
    join_case([B, C], 10000, One, 1),
    node_down(ControlB, B),
    node_down(ControlC, C).

join_case(Peers, Others, Who, PerCall) ->
    Group = {join, Others, PerCall},
    Filling = spawn_idle(Others),
    Others > 0 andalso (ok = pg:join(?SCOPE, Group, Filling)),
    measure(join, [{per_call, PerCall}, {others, Others}], fun() ->
        Begin = now_ns(),
        Pairs = pairs_until(Group, Who, Begin + ms() * 1000000, 0),
        Calls = now_ns() - Begin,
        await_peers(Peers),
        WithPeers = now_ns() - Begin,
        Memberships = 2 * Pairs * PerCall * 1.0e9,
        [{memberships_s, Memberships / Calls}, {with_peers_s, Memberships / WithPeers}]
    end),
    [exit(Pid, kill) || Pid <- Filling],
    wait(fun() -> pg:get_members(?SCOPE, Group) =:= [] end).

pairs_until(Group, Who, End, Done) ->
    case now_ns() < End of
        true ->
            ok = pg:join(?SCOPE, Group, Who),
            ok = pg:leave(?SCOPE, Group, Who),
            pairs_until(Group, Who, End, Done + 1);
        false -> Done
    end.

%% what this node did before has arrived there when a mark has
await_peers(Peers) ->
    Mark = {mark, make_ref()},
    ok = pg:join(?SCOPE, Mark, self()),
    [wait(fun() -> erpc:call(Peer, pg, get_members, [?SCOPE, Mark]) =/= [] end) || Peer <- Peers],
    ok = pg:leave(?SCOPE, Mark, self()).

%% ---- propagate: join at A, event of pg:monitor at B, message back to A

propagate() ->
    {ControlB, B} = node_up(b),
    {ControlC, C} = node_up(c),
    connect([B, C]),
    Me = self(),
    spawn(B, ?MODULE, echo, [Me, propagate]),
    receive ready -> ok end,
    [Pid] = spawn_idle(1),
    Once = fun() ->
        Begin = now_ns(),
        ok = pg:join(?SCOPE, propagate, Pid),
        receive {seen, join} -> ok end,
        Taken = now_ns() - Begin,
        ok = pg:leave(?SCOPE, propagate, Pid),
        receive {seen, leave} -> ok end,
        Taken
    end,
    measure(propagate, [], fun() -> latencies(Once) end),
    node_down(ControlB, B),
    node_down(ControlC, C).

echo(Main, Group) ->
    {Ref, _} = pg:monitor(?SCOPE, Group),
    Main ! ready,
    echo_loop(Main, Ref).

echo_loop(Main, Ref) ->
    receive {Ref, What, _, _} -> Main ! {seen, What} end,
    echo_loop(Main, Ref).

%% ---- sync: a fresh node connects to one that has memberships, and polls until all groups show

sync() ->
    [measure(sync, [{memberships, 10000 * Members}], fun() ->
         Pids = fill(10000, Members),
         {Control, B} = node_up(b),
         Ns = peer:call(Control, ?MODULE, learn, [node(), 10000, 10000 * Members], ?PATIENCE),
         node_down(Control, B),
         empty(Pids),
         [{ms, Ns / 1.0e6}]
     end) || Members <- [10, 100]].

learn(A, Groups, Total) ->
    Begin = now_ns(),
    true = net_kernel:connect_node(A),
    wait(fun() -> ets:info(?SCOPE, size) =:= Groups end),
    Taken = now_ns() - Begin,
    {Groups, Total} = total(),
    Taken.

total() ->
    Groups = pg:which_groups(?SCOPE),
    {length(Groups), lists:sum([length(pg:get_members(?SCOPE, Group)) || Group <- Groups])}.

%% so many members of each group out of 10,000 processes, in one call a group
fill(Groups, Members) ->
    Pids = list_to_tuple(spawn_idle(10000)),
    Pick = fun(I) -> element(1 + I rem 10000, Pids) end,
    [ok = pg:join(?SCOPE, {fill, G}, [Pick(G * Members + I) || I <- lists:seq(1, Members)])
     || G <- lists:seq(1, Groups)],
    tuple_to_list(Pids).

empty(Pids) ->
    [exit(Pid, kill) || Pid <- Pids],
    wait(fun() -> pg:which_groups(?SCOPE) =:= [] end),
    erlang:garbage_collect(whereis(?SCOPE)).

%% ---- fanout. pg: a message to each member, as its users write it. pg_relay: one message to a process on each
%% node, which passes it on to the members there

fanout() ->
    {ControlB, B} = node_up(b),
    {ControlC, C} = node_up(c),
    Nodes = [node(), B, C],
    connect([B, C]),
    [fanout(Nodes, Members) || Members <- [3, 30, 300]],
    node_down(ControlB, B),
    node_down(ControlC, C).

fanout(Nodes, Members) ->
    Group = {fanout, Members},
    All = lists:append([erpc:call(Node, ?MODULE, spawn_members, [self(), Members div 3]) || Node <- Nodes]),
    [ok = erpc:call(node(Pid), pg, join, [?SCOPE, Group, Pid]) || Pid <- All],
    Relays = [spawn(Node, ?MODULE, relay, [self(), Group]) || Node <- Nodes],
    [receive {Relay, ready} -> ok end || Relay <- Relays],
    wait(fun() ->
        lists:all(fun(Node) -> length(erpc:call(Node, pg, get_members, [?SCOPE, Group])) =:= Members end, Nodes)
    end),
    [fanout_case(Peer, Notify, All, Bytes)
     || {Peer, Notify} <- [{pg, fun(M) -> [Pid ! M || Pid <- pg:get_members(?SCOPE, Group)] end},
                           {pg_relay, fun(M) -> [Relay ! M || Relay <- Relays] end}],
        Bytes <- [64, 1024]],
    [exit(Pid, kill) || Pid <- All ++ Relays],
    wait(fun() -> pg:get_members(?SCOPE, Group) =:= [] end).

fanout_case(Peer, Notify, All, Bytes) ->
    Message = {feature_created, subscriptions, binary:copy(<<"x">>, Bytes)},
    Case = [{members, length(All)}, {bytes, Bytes}],
    measure(Peer, fanout, [{how, sustained} | Case], fun() -> [{deliveries_s, sustained(Notify, All, Message)}] end),
    measure(Peer, fanout, [{how, acknowledged} | Case], fun() ->
        set_mode(All, ack),
        latencies(fun() ->
            Begin = now_ns(),
            Notify(Message),
            acks(length(All)),
            now_ns() - Begin
        end)
    end).

%% deliveries a second; first with fewer notifications, to know how many take the time wanted
sustained(Notify, All, Message) ->
    Few = max(500, round(500 * ms() * 250000 / burst(Notify, All, Message, 500))),
    Many = max(500, round(Few * ms() * 1000000 / burst(Notify, All, Message, Few))),
    Many * length(All) * 1.0e9 / burst(Notify, All, Message, Many).

%% over when every member has told that it counted all
burst(Notify, All, Message, N) ->
    set_mode(All, {count, N}),
    Begin = now_ns(),
    repeat(N, fun() -> Notify(Message) end),
    [receive {Pid, counted} -> ok after ?PATIENCE -> error({lost, Pid}) end || Pid <- All],
    now_ns() - Begin.

acks(0) -> ok;
acks(N) -> receive ack -> acks(N - 1) end.

set_mode(All, Mode) ->
    [Pid ! {mode, Mode} || Pid <- All],
    [receive {Pid, mode} -> ok end || Pid <- All].

spawn_members(Main, N) -> [spawn(fun() -> member(Main, ack, 0) end) || _ <- lists:seq(1, N)].

member(Main, Mode, Seen) ->
    receive
        {feature_created, _, _} when Mode =:= ack -> Main ! ack, member(Main, Mode, Seen);
        {feature_created, _, _} ->
            Mode =:= {count, Seen + 1} andalso (Main ! {self(), counted}),
            member(Main, Mode, Seen + 1);
        {mode, New} -> Main ! {self(), mode}, member(Main, New, 0)
    end.

relay(Main, Group) -> Main ! {self(), ready}, relay_loop(Group).

relay_loop(Group) ->
    receive Message -> [Pid ! Message || Pid <- pg:get_local_members(?SCOPE, Group)] end,
    relay_loop(Group).

%% ---- killed: SIGKILL of a node with 10,000 memberships, until A shows none

killed() ->
    {Control, B} = node_up(b),
    connect([B]),
    [measure(killed, [{groups, Groups}], fun() -> [{ms, killed(B, Groups)}] end) || Groups <- [1000, 10000]],
    node_down(Control, B).

killed(B, Groups) ->
    {Control, C} = node_up(c),
    connect([B, C]),
    erpc:call(C, ?MODULE, fill, [Groups, 10000 div Groups]),
    [wait(fun() -> erpc:call(Node, ?MODULE, total, []) =:= {Groups, 10000} end) || Node <- [node(), B]],
    %% a shell that already runs, so that its start is not measured
    Kill = "read go; kill -9 " ++ erpc:call(C, os, getpid, []),
    Killer = open_port({spawn_executable, "/bin/sh"}, [{args, ["-c", Kill]}]),
    timer:sleep(200),
    Begin = now_ns(),
    port_command(Killer, "go\n"),
    wait(fun() -> ets:info(?SCOPE, size) =:= 0 end),
    Taken = now_ns() - Begin,
    catch peer:stop(Control),
    Taken / 1.0e6.

%% ---- memory: resident bytes for a remote member

memory() ->
    measure(memory, [], fun() ->
        {Control, B} = node_up(b),
        Before = peer:call(Control, ?MODULE, resident, []),
        Pids = fill(10000, 100),
        peer:call(Control, ?MODULE, learn, [node(), 10000, 1000000], ?PATIENCE),
        timer:sleep(2000),
        After = peer:call(Control, ?MODULE, resident, []),
        peer:call(Control, ?MODULE, collect, []),
        timer:sleep(500),
        Collected = peer:call(Control, ?MODULE, resident, []),
        node_down(Control, B),
        empty(Pids),
        [{bytes_member, (After - Before) / 1.0e6}, {trimmed, (Collected - Before) / 1.0e6}]
    end).

resident() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Kb]} = re:run(Status, "VmRSS:\\s+(\\d+) kB", [{capture, all_but_first, list}]),
    list_to_integer(Kb) * 1024.

collect() -> [erlang:garbage_collect(Pid) || Pid <- processes()], ok.

%% ---- nodes

start_scope() ->
    case pg:start(?SCOPE) of
        {ok, _} -> ok;
        {error, {already_started, _}} -> ok
    end.

%% owned by nobody, so that the end of a caller does not take them along
spawn_idle(N) -> [spawn(fun Idle() -> receive _ -> Idle() end end) || _ <- lists:seq(1, N)].

node_up(Short) ->
    Name = list_to_atom(atom_to_list(Short) ++ integer_to_list(erlang:unique_integer([positive]))),
    Arguments = ["-setcookie", atom_to_list(erlang:get_cookie()),
                 "-kernel", "inet_dist_use_interface", "{127,0,0,1}",
                 "-pa", filename:dirname(code:which(?MODULE)), "+P", "2000000"],
    {ok, Control, Node} = peer:start(#{name => Name, host => "127.0.0.1", longnames => true,
                                       connection => standard_io, wait_boot => 30000, args => Arguments}),
    ok = peer:call(Control, ?MODULE, start_scope, []),
    {Control, Node}.

node_down(Control, Node) ->
    catch peer:stop(Control),
    wait(fun() -> not lists:member(Node, nodes()) end).

%% A with each, and these with each other; over when pg of each knows A's
connect(Nodes) ->
    [true = net_kernel:connect_node(Node) || Node <- Nodes],
    [true = erpc:call(Node, net_kernel, connect_node, [Other]) || Node <- Nodes, Other <- Nodes, Node < Other],
    await_peers(Nodes).

%% ---- measuring

%% the percentiles of CALLS runs, after a tenth as many
latencies(Once) ->
    Calls = list_to_integer(os:getenv("CALLS")),
    repeat(max(1, Calls div 10), Once),
    Sorted = lists:sort([Once() || _ <- lists:seq(1, Calls)]),
    At = fun(Percent) -> lists:nth(max(1, ceil(Calls * Percent / 100)), Sorted) / 1000 end,
    [{p50_us, At(50)}, {p99_us, At(99)}].

repeat(0, _) -> ok;
repeat(N, F) -> F(), repeat(N - 1, F).

measure(Row, Case, F) -> measure(pg, Row, Case, F).

measure(Peer, Row, Case, F) ->
    Texts = [{atom_to_list(Key), text(Value)} || {Key, Value} <- Case],
    case wanted(Texts) of
        true ->
            Named = lists:append([[" ", Key, "=", Value] || {Key, Value} <- [{"peer", text(Peer)} | Texts]]),
            io:format(standard_error, "bench_pg: ~s~s~n", [Row, Named]),
            Found = F(),
            io:format("~s~s~s~n", [Row, Named, [[" ", text(Key), "=", text(Value)] || {Key, Value} <- Found]]);
        false -> skipped
    end.

wanted(Case) ->
    Only = [list_to_tuple(string:split(One, "=")) || One <- string:lexemes(os:getenv("ONLY", ""), " ")],
    lists:all(fun({Key, Value}) ->
        Named = [V || {K, V} <- Only, K =:= Key],
        Named =:= [] orelse lists:member(Value, Named)
    end, Case).

text(Value) when is_atom(Value) -> atom_to_list(Value);
text(Value) when is_integer(Value) -> integer_to_list(Value);
text(Value) when is_float(Value) -> float_to_list(Value, [{decimals, 3}]).

wait(Holds) -> wait(Holds, now_ns() + ?PATIENCE * 1000000).
wait(Holds, End) ->
    case Holds() of
        true -> ok;
        false ->
            now_ns() < End orelse error(timeout),
            receive after 1 -> ok end,
            wait(Holds, End)
    end.

ms() -> list_to_integer(os:getenv("MS")).
now_ns() -> erlang:monotonic_time(nanosecond).
