// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Parameter} from "../src/ProtocolParameters.sol";
import {Case, Slashing, Status} from "../src/Slashing.sol";
import {Role, Staking} from "../src/Staking.sol";
import {Protocol} from "./support/Protocol.sol";

contract SlashingTest is Protocol {
    Role private constant OPERATOR = Role.NodeOperator;
    uint256 private constant OWN = 10_000 ether;
    uint256 private constant BOND = 100 ether;

    address private operator = actor("operator");
    address private accuser = actor("accuser");

    function setUp() public override {
        super.setUp();
        fund(operator, 2 * OWN);
        fund(accuser, 10_000 ether);
        vm.prank(operator);
        staking.register(OPERATOR, "operator", OWN);
    }

    function test_anUncontestedAccusationIsSlashedAfterBothWindows() public {
        uint256 id = _accuse();
        vm.assertEq(slashing.bonds(), BOND, "bond");
        vm.prank(verifier);
        vm.expectRevert(abi.encodeWithSelector(Slashing.WindowOpen.selector, id, GENESIS + 3 days));
        slashing.uphold(id);
        vm.warp(GENESIS + 3 days + 1);
        vm.prank(verifier);
        slashing.uphold(id);
        vm.expectRevert(abi.encodeWithSelector(Slashing.WindowOpen.selector, id, GENESIS + 6 days + 1));
        slashing.execute(id);
        vm.warp(GENESIS + 6 days + 2);
        slashing.execute(id);

        vm.assertEq(staking.activeStake(OPERATOR, operator), 8_000 ether, "a fifth is gone");
        vm.assertEq(token.balanceOf(accuser), 10_000 ether + 200 ether, "bond and a tenth of the slash");
        vm.assertTrue(slashing.caseOf(id).status == Status.Slashed, "status");
        vm.assertEq(staking.providerOf(OPERATOR, operator).openCases, 0, "closed");
        vm.assertEq(slashing.bonds(), 0, "bonds");
        vm.expectRevert(abi.encodeWithSelector(Slashing.WrongStatus.selector, id, Status.Slashed));
        slashing.execute(id);
    }

    function test_aWrongAccuserPaysTheAccused() public {
        uint256 id = _accuse();
        vm.prank(operator);
        slashing.answer(id, "rebuttal");
        vm.prank(verifier);
        slashing.dismiss(id);
        vm.assertEq(token.balanceOf(operator), OWN + BOND, "the bond");
        vm.assertEq(staking.activeStake(OPERATOR, operator), OWN, "untouched");
    }

    function test_answersComeFromTheAccusedAndInTime() public {
        uint256 id = _accuse();
        vm.expectRevert(abi.encodeWithSelector(Slashing.NotAccused.selector, id, address(this)));
        slashing.answer(id, "rebuttal");
        vm.warp(GENESIS + 3 days + 1);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Slashing.WindowClosed.selector, id, GENESIS + 3 days));
        slashing.answer(id, "rebuttal");
    }

    function test_aCaseThatNobodyJudgesExpires() public {
        uint256 id = _accuse();
        vm.warp(GENESIS + 24 days);
        vm.expectRevert(abi.encodeWithSelector(Slashing.WindowOpen.selector, id, GENESIS + 24 days));
        slashing.expire(id);
        vm.warp(GENESIS + 24 days + 1);
        vm.prank(verifier);
        vm.expectRevert(abi.encodeWithSelector(Slashing.WindowClosed.selector, id, GENESIS + 24 days));
        slashing.uphold(id);
        slashing.expire(id);
        vm.assertEq(token.balanceOf(accuser), 10_000 ether, "the bond is back");
        vm.assertEq(staking.activeStake(OPERATOR, operator), OWN, "untouched");
    }

    function test_governanceOverturnsAnAppeal() public {
        uint256 id = _appeal();
        asTimelock(address(slashing), abi.encodeCall(Slashing.decide, (id, false)));
        vm.assertEq(staking.activeStake(OPERATOR, operator), OWN, "untouched");
        vm.assertEq(token.balanceOf(operator), OWN, "the accused's bond");
        vm.assertEq(token.balanceOf(accuser), 10_000 ether, "the accuser's bond");
    }

    function test_governanceAffirmsAnAppeal() public {
        uint256 id = _appeal();
        asTimelock(address(slashing), abi.encodeCall(Slashing.decide, (id, true)));
        vm.assertEq(staking.activeStake(OPERATOR, operator), 8_000 ether, "slashed");
        vm.assertEq(token.balanceOf(address(treasury)), TREASURY + 900 ether + BOND, "the rest and the lost bond");
    }

    function test_anAppealThatNobodyDecidesIsExecuted() public {
        uint256 id = _appeal();
        uint64 deadline = slashing.caseOf(id).deadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(Slashing.WindowOpen.selector, id, deadline));
        slashing.execute(id);
        vm.warp(deadline + 1);
        slashing.execute(id);
        vm.assertEq(staking.activeStake(OPERATOR, operator), 8_000 ether, "slashed");
    }

    function test_appealsComeFromTheAccusedAndInTime() public {
        uint256 id = _accuse();
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Slashing.WrongStatus.selector, id, Status.Open));
        slashing.appeal(id);
        vm.warp(GENESIS + 4 days);
        vm.prank(verifier);
        slashing.uphold(id);
        vm.expectRevert(abi.encodeWithSelector(Slashing.NotAccused.selector, id, address(this)));
        slashing.appeal(id);
        vm.warp(GENESIS + 7 days + 1);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Slashing.WindowClosed.selector, id, GENESIS + 7 days));
        slashing.appeal(id);
    }

    function test_accusationsNeedEvidenceAFractionAndSomethingAtStake() public {
        vm.startPrank(accuser);
        vm.expectRevert(Slashing.NoEvidence.selector);
        slashing.accuse(OPERATOR, operator, 2_000, 0);
        vm.expectRevert(abi.encodeWithSelector(Slashing.FractionOutOfBounds.selector, 0, 5_000));
        slashing.accuse(OPERATOR, operator, 0, "evidence");
        vm.expectRevert(abi.encodeWithSelector(Slashing.FractionOutOfBounds.selector, 5_001, 5_000));
        slashing.accuse(OPERATOR, operator, 5_001, "evidence");
        vm.expectRevert(abi.encodeWithSelector(Staking.NotRegistered.selector, OPERATOR, accuser));
        slashing.accuse(OPERATOR, accuser, 2_000, "evidence");
        vm.stopPrank();
        vm.prank(operator);
        staking.unbond(OPERATOR, operator, type(uint256).max);
        vm.warp(GENESIS + 30 days);
        vm.prank(accuser);
        vm.expectRevert(abi.encodeWithSelector(Slashing.NothingAtStake.selector, OPERATOR, operator));
        slashing.accuse(OPERATOR, operator, 2_000, "evidence");
        vm.expectRevert(abi.encodeWithSelector(Slashing.UnknownCase.selector, 0, 0));
        slashing.execute(0);
        vm.assertEq(slashing.count(), 0, "no case");
    }

    function test_unbondingDoesNotEscapeACase() public {
        vm.prank(operator);
        uint256 bucket = staking.unbond(OPERATOR, operator, type(uint256).max);
        vm.warp(GENESIS + 20 days);
        uint256 id = _accuse();
        vm.warp(GENESIS + 24 days);
        vm.prank(verifier);
        slashing.uphold(id);
        vm.warp(GENESIS + 28 days);
        slashing.execute(id);
        vm.prank(operator);
        vm.assertEq(staking.withdraw(OPERATOR, operator, bucket), 8_000 ether, "slashed all the same");
    }

    function test_aLoweredBoundHoldsForOpenCases() public {
        uint256 id = _accuse();
        setParameter(Parameter.MaxSlashBps, 1_000);
        vm.warp(GENESIS + 4 days);
        vm.prank(verifier);
        slashing.uphold(id);
        vm.warp(GENESIS + 8 days);
        slashing.execute(id);
        vm.assertEq(staking.activeStake(OPERATOR, operator), 9_000 ether, "a tenth, not a fifth");
    }

    function testFuzz_onlyVerificationJudgesAndOnlyTheTimelockDecides(address caller) public {
        vm.assume(caller != verifier && caller != address(timelock));
        uint256 id = _accuse();
        bytes memory noVerifier = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, caller, slashing.VERIFIER_ROLE()
        );
        vm.startPrank(caller);
        vm.expectRevert(noVerifier);
        slashing.uphold(id);
        vm.expectRevert(noVerifier);
        slashing.dismiss(id);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, bytes32(0))
        );
        slashing.decide(id, true);
        vm.stopPrank();
    }

    function _accuse() private returns (uint256 id) {
        vm.prank(accuser);
        id = slashing.accuse(OPERATOR, operator, 2_000, "evidence");
        Case memory made = slashing.caseOf(id);
        vm.assertEq(made.bond, BOND, "bond");
    }

    function _appeal() private returns (uint256 id) {
        id = _accuse();
        vm.warp(GENESIS + 4 days);
        vm.prank(verifier);
        slashing.uphold(id);
        vm.prank(operator);
        slashing.appeal(id);
        vm.assertEq(slashing.bonds(), 2 * BOND, "two bonds");
    }
}
