// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Payout, Payouts} from "../src/Payouts.sol";
import {Emission, Rewards} from "../src/Rewards.sol";
import {Protocol} from "./support/Protocol.sol";
import {Tree} from "./support/Tree.sol";

contract RewardsTest is Protocol {
    address private worker = actor("worker");
    address private another = actor("another");

    function testFuzz_emissionGrowsAndNeverPassesTheShare(uint64 earlier, uint64 later) public view {
        uint256 first = bound(earlier, 0, type(uint64).max - 1);
        uint256 second = bound(later, first, type(uint64).max);
        vm.assertLe(rewards.emittedBy(first), rewards.emittedBy(second), "grows");
        vm.assertLe(rewards.emittedBy(second), COMMUNITY, "never above the share");
    }

    function test_eachEraEmitsLess() public view {
        vm.assertEq(rewards.emittedBy(GENESIS), 0, "before the start");
        uint256 first = rewards.emittedBy(GENESIS + 365 days);
        uint256 second = rewards.emittedBy(GENESIS + 2 * 365 days) - first;
        vm.assertEq(first, 500_000_000 ether, "first era");
        vm.assertEq(second, 425_000_000 ether, "15 % less");
        vm.assertEq(rewards.emittedBy(GENESIS + 365 days / 2), 250_000_000 ether, "evenly");
        vm.assertEq(rewards.emission().firstEra, first, "schedule");
    }

    function test_anEpochIsClaimedAfterItsChallengeWindow() public {
        Payout[] memory payouts = _publish(0, 90 ether);
        bytes32[] memory proof = Tree.proofOf(payouts, 0);
        vm.expectRevert(abi.encodeWithSelector(Rewards.NotOpen.selector, 0, GENESIS + 2 days));
        rewards.claim(0, payouts[0], proof);
        vm.warp(GENESIS + 2 days);
        rewards.claim(0, payouts[0], proof);
        vm.assertEq(token.balanceOf(worker), 30 ether, "paid");
        vm.expectRevert(abi.encodeWithSelector(Payouts.AlreadyPaid.selector, payouts[0].list, 0));
        rewards.claim(0, payouts[0], proof);
        (, uint256 total, uint256 paid,) = rewards.epochOf(0);
        vm.assertEq(total - paid, 60 ether, "waits");
        (uint256 epochs, uint256 published, uint256 unclaimed) = rewards.totals();
        vm.assertEq(epochs, 1, "epochs");
        vm.assertEq(published, 90 ether, "published");
        vm.assertEq(unclaimed, 60 ether, "unclaimed");
    }

    function test_anEpochsProofOpensNoOther() public {
        Payout[] memory payouts = _publish(0, 90 ether);
        _publish(1, 90 ether);
        vm.warp(GENESIS + 10 days);
        bytes32[] memory proof = Tree.proofOf(payouts, 0);
        uint64 openFrom = GENESIS + 2 days;
        vm.expectRevert(abi.encodeWithSelector(Rewards.NotOpen.selector, 1, openFrom));
        rewards.claim(1, payouts[0], proof);
        vm.expectRevert(abi.encodeWithSelector(Rewards.NotOpen.selector, 7, 0));
        rewards.claim(7, payouts[0], proof);
    }

    function testFuzz_epochsNeverPassTheSchedule(uint256 total, uint32 elapsed) public {
        elapsed = uint32(bound(elapsed, 1, 10 * 365 days));
        vm.warp(GENESIS + elapsed);
        uint256 available = rewards.emittedBy(GENESIS + elapsed);
        total = bound(total, available + 1, type(uint128).max);
        vm.startPrank(publisher);
        vm.expectRevert(abi.encodeWithSelector(Rewards.AboveSchedule.selector, total, available));
        rewards.publish(0, "root", total);
        rewards.publish(0, "root", available);
        vm.expectRevert(abi.encodeWithSelector(Rewards.AboveSchedule.selector, 1, 0));
        rewards.publish(1, "root", 1);
        vm.stopPrank();
    }

    function testFuzz_whatIsPaidInIsOnTopOfTheSchedule(uint256 amount, uint32 elapsed) public {
        amount = bound(amount, 1, 1_000_000 ether);
        vm.warp(GENESIS + bound(elapsed, 1, 10 * 365 days));
        _payIn(amount);
        uint256 available = rewards.emittedBy(block.timestamp) + amount;
        vm.startPrank(publisher);
        vm.expectRevert(abi.encodeWithSelector(Rewards.AboveSchedule.selector, available + 1, available));
        rewards.publish(0, "root", available + 1);
        rewards.publish(0, "root", available);
        vm.stopPrank();
        vm.assertEq(rewards.funded(), amount, "funded");
        vm.assertEq(token.balanceOf(address(rewards)), COMMUNITY + amount, "held");
    }

    function test_whatIsPaidInCanBePromisedAgainAfterAWrongEpoch() public {
        _payIn(90 ether);
        vm.prank(publisher);
        rewards.publish(0, "root", 90 ether);
        vm.prank(guardian);
        rewards.cancel(0);
        vm.prank(publisher);
        rewards.publish(1, "root", 90 ether);
    }

    function test_nothingIsPaidInWithoutAnAmount() public {
        vm.expectRevert(Rewards.NoAmount.selector);
        rewards.fund(0);
    }

    function test_aWrongEpochIsTakenBackInTime() public {
        _publish(0, 90 ether);
        vm.prank(guardian);
        rewards.cancel(0);
        (, uint256 published, uint256 unclaimed) = rewards.totals();
        vm.assertEq(published + unclaimed, 0, "nothing is promised");
        vm.startPrank(guardian);
        vm.expectRevert(abi.encodeWithSelector(Rewards.NotCancellable.selector, 0, 0));
        rewards.cancel(0);
        vm.stopPrank();
        _publish(1, 90 ether);
        vm.warp(GENESIS + 10 days);
        vm.prank(guardian);
        vm.expectRevert(abi.encodeWithSelector(Rewards.NotCancellable.selector, 1, GENESIS + 2 days));
        rewards.cancel(1);
    }

    function test_epochsComeInOrderAndAreNotEmpty() public {
        vm.warp(GENESIS + 1 days);
        vm.startPrank(publisher);
        vm.expectRevert(abi.encodeWithSelector(Rewards.WrongEpoch.selector, 1, 0));
        rewards.publish(1, "root", 1);
        vm.expectRevert(abi.encodeWithSelector(Rewards.EmptyEpoch.selector, 0));
        rewards.publish(0, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(Rewards.EmptyEpoch.selector, 0));
        rewards.publish(0, "root", 0);
        vm.stopPrank();
    }

    function test_aScheduleAboveTheShareIsRefused() public {
        address code = address(new Rewards());
        Emission memory emission = Emission(GENESIS, 1 ether, 0);
        vm.expectRevert(abi.encodeWithSelector(Rewards.InvalidDecay.selector, 0));
        _deploy(code, emission);
        emission.decayBps = 10_000;
        vm.expectRevert(abi.encodeWithSelector(Rewards.EmissionAboveShare.selector, 1 ether, 0));
        _deploy(code, emission);
    }

    function testFuzz_rolesAreNeeded(address caller) public {
        vm.assume(caller != publisher && caller != guardian);
        vm.startPrank(caller);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, caller, rewards.PUBLISHER_ROLE()
            )
        );
        rewards.publish(0, "root", 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, caller, rewards.GUARDIAN_ROLE()
            )
        );
        rewards.cancel(0);
        vm.stopPrank();
    }

    function _payIn(uint256 amount) private {
        vm.startPrank(holder);
        token.approve(address(rewards), amount);
        rewards.fund(amount);
        vm.stopPrank();
    }

    function _deploy(address code, Emission memory emission) private {
        new ERC1967Proxy(
            code,
            abi.encodeCall(Rewards.initialize, (token, parameters, address(timelock), publisher, guardian, emission))
        );
    }

    function _publish(uint256 epoch, uint256 total) private returns (Payout[] memory payouts) {
        vm.warp(GENESIS + 1 days);
        bytes32 list = rewards.listOf(epoch);
        payouts = new Payout[](3);
        payouts[0] = Payout(list, 0, worker, total / 3);
        payouts[1] = Payout(list, 1, another, total / 3);
        payouts[2] = Payout(list, 2, worker, total / 3);
        vm.prank(publisher);
        rewards.publish(epoch, Tree.rootOf(payouts), total);
    }
}
